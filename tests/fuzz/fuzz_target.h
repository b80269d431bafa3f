// A fuzz target is one source file that defines these two. It is linked with driver.cpp (mutations
// that are the same on every run, for CTest) or built with -fsanitize=fuzzer (libFuzzer, by hand).
// The only outcomes allowed are success and edt::Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace edt::fuzz {

// Valid inputs to start from.
std::vector<std::string> seeds();

}  // namespace edt::fuzz
