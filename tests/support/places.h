// Where the sources and what is built of them lie. Only places.cpp is compiled with those paths, so
// that one clone takes the objects of another from the compiler's cache.
#pragma once

#include <filesystem>

namespace edt::test {

// Of the root of the sources, such as in_sources("tests/golden").
std::filesystem::path in_sources(const std::filesystem::path& relative);

// Of the build folder.
std::filesystem::path in_build(const std::filesystem::path& relative);

}  // namespace edt::test
