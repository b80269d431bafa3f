#include "data/writer.h"

#include <signal.h>
#include <sys/resource.h>

#include <cmath>
#include <fstream>

#include "data/dataset.h"
#include "tests/core/storage/expect_error.h"
#include "tests/core/storage/temp_dir.h"
#include "tests/data/small_set.h"

namespace edt::data {
namespace {

namespace fs = std::filesystem;
using edt::test::TempDir;
using test::append_until;
using test::small_description;
using test::write_small_set;

std::string content(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(Writer, InterruptedWriterLeavesWholeShardsAndContinues) {
  const TempDir directory;
  const Description d = small_description();
  write_small_set(directory / "whole");
  {
    DatasetWriter writer(directory / "set", d, 20, {.samples_per_shard = 8});
    append_until(writer, d, 13);  // one shard and a half
  }
  EXPECT_EQ(list_shards(directory / "set").size(), 1u);
  EXPECT_ERROR(Dataset(directory / "set"), DataError, "1 of 3 shards", "shard 1 is missing");
  DatasetWriter writer(directory / "set", d, 20, {.samples_per_shard = 8});
  EXPECT_EQ(writer.next_sample(), 8u);
  EXPECT_ERROR(writer.finish(), DataError, "8 samples written, 20");
  append_until(writer, d, 20);
  writer.finish();
  for (const fs::path& shard : list_shards(directory / "set")) {
    EXPECT_EQ(content(shard), content(directory / "whole" / shard.filename().string())) << shard;
  }
}

TEST(Writer, LeavesOtherDataAlone) {
  const TempDir directory;
  write_small_set(directory / "set");
  Description d = small_description();
  d.source = "elsewhere";
  EXPECT_ERROR(DatasetWriter(directory / "set", d, 20, {.samples_per_shard = 8}), DataError,
               "shard-00000", "'test'", "'elsewhere'");
  d = small_description();
  EXPECT_ERROR(DatasetWriter(directory / "set", d, 20, {.samples_per_shard = 4}), DataError,
               "another data set");
  EXPECT_ERROR(DatasetWriter(directory / "set", d, 24, {.samples_per_shard = 8}), DataError,
               "samples");
}

TEST(Writer, RefusesBadSamples) {
  const TempDir directory;
  const Description d = small_description();
  DatasetWriter writer(directory / "set", d, 20, {.samples_per_shard = 8});
  append_until(writer, d, 9);
  std::vector<float> values(24, 1.f);
  values[5] = std::nanf("");
  EXPECT_ERROR(writer.append(values, {}, std::vector<std::int32_t>{0}), DataError, "sample 9",
               "NaN");
  DatasetWriter again(directory / "again", d, 20);
  values[5] = 70000;  // beyond float16
  EXPECT_ERROR(again.append(values, {}, std::vector<std::int32_t>{0}), DataError, "float16");
  DatasetWriter third(directory / "third", d, 20);
  values[5] = 0;
  EXPECT_ERROR(third.append(values, {}, std::vector<std::int32_t>{5}), DataError, "label 5",
               "0 to 4");
}

// A limit on file sizes fails writes as a full disk does, and needs no mount.
TEST(Writer, FailedWriteLeavesNothing) {
  const TempDir directory;
  Description d = small_description();
  d.height = d.width = 64;
  signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{1 << 18, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto write = [&] {
    DatasetWriter writer(directory / "set", d, 20);
    const std::vector<float> values(d.stored_elements(), 1.f);
    for (int i = 0; i < 20; ++i) writer.append(values, {}, std::vector<std::int32_t>{0});
    writer.finish();
  };
  EXPECT_ERROR(write(), SystemError, "shard-00000-of-00001.h5");
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_TRUE(fs::is_empty(directory / "set"));
  EXPECT_NO_THROW(write());
  EXPECT_NO_THROW(Dataset(directory / "set"));
}

}  // namespace
}  // namespace edt::data
