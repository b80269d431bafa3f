#include "data/writer.h"

#include <signal.h>
#include <sys/resource.h>

#include <cmath>
#include <fstream>

#include "core/storage/access.h"
#include "data/dataset.h"
#include "tests/core/storage/expect_error.h"
#include "tests/data/small_set.h"
#include "tests/support/temp_dir.h"

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
  const Description d = small_description();
  const auto writer_of = [&](std::uint64_t samples, std::uint64_t samples_per_shard) {
    DatasetWriter(directory / "set", d, samples, {.samples_per_shard = samples_per_shard});
  };
  EXPECT_ERROR(writer_of(20, 4), DataError, "holds 3 shards", "samples-per-shard was 8, is now 4",
               "--replace");
  EXPECT_ERROR(writer_of(24, 8), DataError, "samples was 20, is now 24");
  Provenance other;
  other.add("seed", "7");
  EXPECT_ERROR(
      DatasetWriter(directory / "set", d, 20, {.samples_per_shard = 8, .provenance = other}),
      DataError, "seed was not given, is now 7");
  fs::copy(directory / "set" / "shard-00000-of-00003.h5", directory / "set" / "part.h5");
  EXPECT_ERROR(writer_of(20, 8), DataError, "part.h5 belongs to another data set");
}

TEST(Writer, RecordThatIsLostDamagedOrOfOtherShards) {
  const TempDir directory;
  const Description d = small_description();
  write_small_set(directory / "set");
  const auto continued = [&] { DatasetWriter(directory / "set", d, 20, {.samples_per_shard = 8}); };
  const fs::path record = Provenance::path(directory / "set");
  const std::string text = content(record);
  EXPECT_NO_THROW(continued());
  std::ofstream(record) << "{\"samples\": ";
  EXPECT_ERROR(continued(), DataError, "provenance.json", "damaged");
  fs::remove(record);
  EXPECT_ERROR(continued(), DataError, "3 shards", "no provenance.json", "--replace");
  std::ofstream(record) << text;
  EXPECT_NO_THROW(continued());
  DatasetWriterOptions options{.samples_per_shard = 8};
  options.provenance.add("seed", "7");
  DatasetWriter writer(directory / "other", d, 20, options);
  append_until(writer, d, 20);
  writer.finish();
  const std::string name = "shard-00001-of-00003.h5";
  fs::copy_file(directory / "other" / name, directory / "set" / name,
                fs::copy_options::overwrite_existing);
  EXPECT_ERROR(continued(), DataError, name, "something else than", "provenance.json");
  EXPECT_ERROR(Dataset(directory / "set"), DataError, name, "provenance");
}

TEST(Writer, ReplaceKeepsTheOldSetUntilANewShardIsWhole) {
  const TempDir directory;
  write_small_set(directory / "set");
  const std::string old = content(Provenance::path(directory / "set"));
  const Description d = small_description();
  {
    DatasetWriter writer(directory / "set", d, 12, {.samples_per_shard = 6, .replace = true});
    append_until(writer, d, 5);
  }
  EXPECT_EQ(Dataset(directory / "set").size(), 20u);
  EXPECT_EQ(content(Provenance::path(directory / "set")), old);
  DatasetWriter writer(directory / "set", d, 12, {.samples_per_shard = 6, .replace = true});
  append_until(writer, d, 12);
  const WriteReport report = writer.finish();
  EXPECT_EQ(report.kept, 0u);
  EXPECT_EQ(report.written, 2u);
  EXPECT_EQ(Dataset(directory / "set").size(), 12u);
  EXPECT_EQ(list_shards(directory / "set").size(), 2u);
}

TEST(Writer, SaysHowManyShardsItKept) {
  const TempDir directory;
  const Description d = small_description();
  {
    DatasetWriter writer(directory / "set", d, 20, {.samples_per_shard = 8});
    append_until(writer, d, 17);
  }
  DatasetWriter writer(directory / "set", d, 20, {.samples_per_shard = 8});
  append_until(writer, d, 20);
  const WriteReport report = writer.finish();
  EXPECT_EQ(report.kept, 2u);
  EXPECT_EQ(report.written, 1u);
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
  EXPECT_ERROR(write(), DiskError, "shard-00000-of-00001.h5", "File too large");
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_FALSE(fs::exists(directory / "set"));
  EXPECT_NO_THROW(write());
  EXPECT_NO_THROW(Dataset(directory / "set"));
}

// Two imports at a time once ended with status 0 and a shard that was no HDF5 file.
TEST(DatasetWriter, OneAtATime) {
  const TempDir directory;
  const Description d = small_description();
  DatasetWriter writer(directory.path(), d, 20, {.samples_per_shard = 8});
  append_until(writer, d, 3);
  EXPECT_ERROR(DatasetWriter(directory.path(), d, 20, {.samples_per_shard = 8}), UsageError,
               "is being written by another process");
  append_until(writer, d, 20);
  writer.finish();
}

}  // namespace
}  // namespace edt::data
