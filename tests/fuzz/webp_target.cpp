#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/picture.h"
#include "tests/support/picture_files.h"

namespace edt::fuzz {

std::vector<std::string> seeds() {
  const Image image = test::drawn_picture(40, 33, 3);
  return {test::webp_file(image, true), test::webp_file(image, false)};
}

}  // namespace edt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return edt::fuzz::decode_and_crop(data, size);
}
