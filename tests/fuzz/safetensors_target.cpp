#include "core/base/error.h"
#include "core/storage/safetensors.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/memory_file.h"
#include "tests/support/temp_dir.h"

namespace edt::fuzz {

std::vector<std::string> seeds() {
  const test::TempDir directory;
  SafetensorsWriter writer(directory / "a.safetensors",
                           {{"latents", SafetensorsType::kF16, {2, 3, 2, 2}},
                            {"labels", SafetensorsType::kI64, {2}},
                            {"blocks.0.attn.qkv.weight", SafetensorsType::kF32, {4, 2}}},
                           {{"format", "pt"}});
  writer.append(std::vector<std::byte>(48 + 16 + 32, std::byte{0}));
  writer.finish();
  return {read_whole(directory / "a.safetensors")};
}

}  // namespace edt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edt;
  const fuzz::MemoryFile file(std::span(data, size));
  try {
    const SafetensorsReader reader(file.path());
    for (const SafetensorsEntry& entry : reader.entries()) {
      const bool integer =
          entry.type == SafetensorsType::kI32 || entry.type == SafetensorsType::kI64;
      std::vector<float> floats(integer ? 0 : entry.elements());
      std::vector<std::int32_t> integers(integer ? entry.elements() : 0);
      if (integer) {
        reader.read(entry, 0, integers);
      } else {
        reader.read(entry, 0, floats);
      }
    }
    return 0;
  } catch (const Error&) {
    return -1;
  }
}
