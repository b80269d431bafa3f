// Shards of other programs have no seal, so HDF5 itself sees the damage. Not a CTest run: the
// target is there to be run by hand, against the HDF5 library of the machine.
#include "core/storage/hdf5.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/whole_shard.h"
#include "tests/support/temp_dir.h"

namespace edt::fuzz {

std::vector<std::string> seeds() {
  const test::TempDir directory;
  h5::File file = h5::File::create(directory / "a.h5");
  const std::vector<float> values(4 * 2 * 3 * 3, 1.f);
  const std::vector<std::int32_t> labels{0, 1, 2, 3};
  file.create_dataset("latents", h5::Type::kFloat32, {4, 2, 3, 3}, 2)
      .write(h5::Type::kFloat32, values.data());
  file.create_dataset("labels", h5::Type::kInt32, {4}).write(h5::Type::kInt32, labels.data());
  const std::vector<float> text(6 * 2, 0.5f);
  const std::vector<std::int64_t> begin{0, 1, 3, 5, 6};
  file.create_dataset("text", h5::Type::kFloat16, {6, 2}).write(h5::Type::kFloat32, text.data());
  file.create_dataset("null_text", h5::Type::kFloat16, {1, 2})
      .write(h5::Type::kFloat32, text.data());
  file.create_dataset("text_begin", h5::Type::kInt64, {5}).write(h5::Type::kInt64, begin.data());
  h5::File::Bytes stored;
  (void)file.create_strings("captions", std::vector<std::string>{"a", "bc", "", "d"}, &stored);
  for (const char* name : {"format_version", "complete", "scale"}) file.write_attribute(name, 1);
  file.write_attribute("num_classes", 5);
  file.write_attribute("image_size", 24);
  file.close();
  return {read_whole(directory / "a.h5")};
}

}  // namespace edt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return edt::fuzz::read_whole_shard(data, size);
}
