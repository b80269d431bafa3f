#include "tests/support/places.h"

namespace edt::test {

std::filesystem::path in_sources(const std::filesystem::path& relative) {
  return std::filesystem::path(EDT_SOURCE_FOLDER) / relative;
}

std::filesystem::path in_build(const std::filesystem::path& relative) {
  return std::filesystem::path(EDT_BUILD_FOLDER) / relative;
}

}  // namespace edt::test
