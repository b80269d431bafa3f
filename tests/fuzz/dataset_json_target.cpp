#include "core/base/error.h"
#include "data/import/labels.h"
#include "tests/fuzz/fuzz_target.h"

std::vector<std::string> edt::fuzz::seeds() {
  return {R"({"labels": [["00000/img00000000.png", 6], ["00000/img00000001.png", 9]]})",
          R"({"labels": {"a.npy": 0, "b.npy": [0, 1, 0], "c.npy": 2.0, "d.npy": true}})",
          R"({"classes": [null, {"a": 1.5}], "labels": [["a", -1]]})"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edt;
  try {
    const std::string text(reinterpret_cast<const char*>(data), size);
    data::parse_dataset_json(text, "input");
    return 0;
  } catch (const Error&) {
    return -1;
  }
}
