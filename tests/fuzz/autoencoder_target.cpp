// Files of weights: what is accepted is a network, and encodes a picture.
#include "core/base/error.h"
#include "core/reference/reference_backend.h"
#include "model/autoencoder/autoencoder.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/memory_file.h"
#include "tests/support/drawn_autoencoder.h"
#include "tests/support/temp_dir.h"

namespace edt::fuzz {

namespace {

constexpr int kGroups = 2;

std::string file_of(const std::vector<NamedShape>& tensors) {
  const test::TempDir directory;
  test::write_autoencoder(directory / "a.safetensors", tensors, {.type = SafetensorsType::kF16});
  return read_whole(directory / "a.safetensors");
}

}  // namespace

std::vector<std::string> seeds() {
  return {file_of(kl_tensors({.widths = {2, 2}})), file_of(taesd_tensors(2, 4))};
}

}  // namespace edt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace edt;
  constexpr std::int64_t kSide = 16;
  static const auto backend = make_reference_backend();
  const fuzz::MemoryFile file(std::span(data, size));
  try {
    const auto vae = Autoencoder::load(file.path(), *backend, {.norm_groups = fuzz::kGroups});
    if (!vae->info().has_encoder) return 0;
    vae->encode(std::vector<std::uint8_t>(3 * kSide * kSide, 100), {kSide, kSide});
    return 0;
  } catch (const Error&) {
    return -1;
  }
}
