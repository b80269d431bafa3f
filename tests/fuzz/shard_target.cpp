#include "tests/data/small_set.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/whole_shard.h"
#include "tests/support/temp_dir.h"

namespace edt::fuzz {

std::vector<std::string> seeds() {
  std::vector<std::string> shards;
  for (const bool moments : {false, true}) {
    const test::TempDir directory;
    data::Description d = data::test::small_description();
    d.moments = moments;
    d.flipped = !moments;
    d.channel_mean = {0, 0};
    d.channel_std = {1, 1};
    d.class_names = {"a", "b", "c", "d", "e"};
    if (moments) d.text = data::test::small_text();
    d.arrays = {{"a", {2, 3}, h5::Type::kFloat16, d.flipped}, {"b", {4}, h5::Type::kInt8, false}};
    data::test::write_small_set(directory / "set", d, 6);
    shards.push_back(read_whole(directory / "set" / "shard-00000-of-00001.h5"));
  }
  return shards;
}

}  // namespace edt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return edt::fuzz::read_whole_shard(data, size);
}
