#include "data/dataset.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "core/storage/hdf5.h"
#include "data/inspect.h"
#include "data/seal.h"
#include "tests/core/storage/expect_error.h"
#include "tests/data/small_set.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

namespace fs = std::filesystem;
using edt::test::TempDir;
using test::small_description;
using test::write_small_set;

std::vector<float> read_one(const Dataset& dataset, std::uint64_t index, std::uint32_t epoch = 0,
                            bool flipped = false) {
  ReadScratch scratch;
  std::vector<float> out(dataset.description().latent_elements());
  const std::vector<SampleRef> refs{{index, epoch, flipped}};
  dataset.read(refs, 1, scratch, out);
  return out;
}

void flip_byte(const fs::path& file, std::uint64_t offset) {
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekg(static_cast<std::streamoff>(offset));
  const char byte = static_cast<char>(stream.get() ^ 0x10);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.put(byte);
}

std::uint64_t raw_offset(const fs::path& file, const std::string& name) {
  return h5::File::open(file).dataset(name).raw_offset().value();
}

// A shard as another program would write it; `edit` changes it before it is closed.
struct PlainShard {
  h5::Shape shape{4, 2, 3, 4};
  std::vector<std::int32_t> labels{0, 1, 2, 3};
  h5::Type type = h5::Type::kFloat32;
  float value = 1;
  std::int64_t classes = 5, version = 1, complete = 1;
  double scale = 1;
  std::uint64_t chunk_rows = 0;

  void write(const fs::path& path) const {
    h5::File file = h5::File::create(path);
    std::uint64_t n = 1;
    for (std::uint64_t extent : shape) n *= extent;
    const std::vector<float> values(n, value);
    file.create_dataset("latents", type, shape, chunk_rows)
        .write(h5::Type::kFloat32, values.data());
    file.create_dataset("labels", h5::Type::kInt32, {labels.size()})
        .write(h5::Type::kInt32, labels.data());
    file.write_attribute("format_version", version);
    file.write_attribute("num_classes", classes);
    file.write_attribute("image_size", 32);
    file.write_attribute("scale", scale);
    file.write_attribute("complete", complete);
    file.close();
  }
};

// ImageNet-21k has as many.
TEST(Dataset, KeepsTheNamesOfManyClasses) {
  const TempDir directory;
  Description d = small_description();
  d.classes = 21841;
  for (int i = 0; i < d.classes; ++i) d.class_names.push_back(fmt::format("n{:08}", i));
  d.others["note"] = std::string(70'000, 'x');
  write_small_set(directory / "set", d);
  const Dataset dataset(directory / "set");
  EXPECT_EQ(dataset.description().class_names, d.class_names);
  EXPECT_EQ(dataset.description().others, d.others);
  for (const auto& shard : dataset.shards()) shard->verify();
}

TEST(Dataset, EverySampleComesBack) {
  for (const h5::Type type : {h5::Type::kFloat16, h5::Type::kFloat32}) {
    const TempDir directory;
    Description d = small_description();
    d.type = type;
    d.flipped = true;
    d.class_names = {"a", "b", "c", "d", "e"};
    write_small_set(directory / "set", d);
    const Dataset dataset(directory / "set");
    ASSERT_EQ(dataset.size(), 20u);
    EXPECT_EQ(dataset.shard_sizes(), (std::vector<std::uint64_t>{8, 8, 4}));
    EXPECT_EQ(dataset.description().class_names, d.class_names);
    for (std::uint64_t i = 0; i < 20; ++i) {
      EXPECT_EQ(dataset.label(i), test::label_of(d, i));
      EXPECT_EQ(read_one(dataset, i), test::values_of(d, i));
      EXPECT_EQ(read_one(dataset, i, 0, true), test::values_of(d, i, true));
    }
    for (const auto& shard : dataset.shards()) {
      EXPECT_TRUE(shard->sealed());
      shard->verify();
    }
    EXPECT_ERROR(dataset.label(20), DataError, "20 asked for");
    EXPECT_NO_THROW(dataset.require_fits(2, 3, 4, 5));
    EXPECT_ERROR(dataset.require_fits(2, 3, 4, 1000), DataError, "5 classes", "1000");
    EXPECT_ERROR(dataset.require_fits(4, 3, 4, 5), DataError, "2 x 3 x 4", "4 x 3 x 4");
  }
}

TEST(Dataset, ManySamplesAtOnceKeepTheirPlaces) {
  const TempDir directory;
  write_small_set(directory / "set");
  const Dataset dataset(directory / "set");
  const std::vector<SampleRef> refs{{17}, {3}, {17}, {0}, {9}};
  std::vector<float> out(refs.size() * 24);
  ReadScratch scratch;
  dataset.read(refs, 1, scratch, out);
  for (std::size_t i = 0; i < refs.size(); ++i) {
    EXPECT_EQ(out[i * 24 + 5], test::value_of(refs[i].index, 5)) << i;
  }
}

TEST(Dataset, MomentsAreDrawnAfreshInEachEpoch) {
  const TempDir directory;
  Description d = small_description();
  d.moments = true;
  d.scale = 0.5;
  d.type = h5::Type::kFloat32;
  constexpr int kSamples = 200;
  DatasetWriter writer(directory / "set", d, kSamples);
  std::vector<float> stored(d.stored_elements(), 3.f);  // means
  std::fill(stored.begin() + 24, stored.end(), 2.f);    // standard deviations
  for (int i = 0; i < kSamples; ++i) writer.append(stored, {}, std::vector<std::int32_t>{0});
  writer.finish();
  const Dataset dataset(directory / "set");
  EXPECT_EQ(read_one(dataset, 7, 3), read_one(dataset, 7, 3));
  EXPECT_NE(read_one(dataset, 7, 3), read_one(dataset, 7, 4));
  EXPECT_NE(read_one(dataset, 7, 3), read_one(dataset, 8, 3));
  double sum = 0, square = 0;
  for (int i = 0; i < kSamples; ++i) {
    for (float x : read_one(dataset, i)) {
      sum += x;
      square += (x - 1.5) * (x - 1.5);
    }
  }
  const double n = kSamples * 24.0;
  EXPECT_NEAR(sum / n, 1.5, 5 / std::sqrt(n));  // five standard errors
  EXPECT_NEAR(square / n, 1.0, 5 * std::sqrt(2 / n));
}

TEST(Dataset, ChannelStatistics) {
  const TempDir directory;
  Description d = small_description();
  d.channel_mean = {1, -1};
  d.channel_std = {2, 4};
  write_small_set(directory / "set", d);
  const Dataset dataset(directory / "set", {.normalize = true});
  const std::vector<float> values = read_one(dataset, 2);
  EXPECT_EQ(values[0], (test::value_of(2, 0) - 1) / 2);
  EXPECT_EQ(values[12], (test::value_of(2, 12) + 1) / 4);
  // As REPA-E: the variance grows by it on the way in.
  const Dataset wider(directory / "set", {.normalize = true, .normalize_eps = 9});
  EXPECT_EQ(read_one(wider, 2)[12], (test::value_of(2, 12) + 1) / 5);
  write_small_set(directory / "plain");
  EXPECT_ERROR(Dataset(directory / "plain", {.normalize = true}), UsageError, "channel_mean");
}

TEST(Dataset, ReadsShardsOfOtherPrograms) {
  const TempDir directory;
  PlainShard{}.write(directory / "a.h5");
  PlainShard{.value = 2, .chunk_rows = 3}.write(directory / "b.h5");
  const Dataset dataset(directory.path());
  EXPECT_EQ(dataset.size(), 8u);
  EXPECT_FALSE(dataset.shards()[0]->sealed());
  EXPECT_EQ(read_one(dataset, 3)[0], 1.f);
  EXPECT_EQ(read_one(dataset, 7)[23], 2.f);
}

// One of them was left out without a word.
TEST(Dataset, NamesOfShardsInCapitalsCount) {
  const TempDir directory;
  fs::create_directory(directory / "set");
  PlainShard shard;
  shard.write(directory / "set/a.h5");
  shard.value = 2;
  shard.write(directory / "set/b.H5");
  EXPECT_EQ(Dataset(directory / "set").size(), 8u);
}

TEST(DatasetBadInput, MissingShards) {
  const TempDir directory;
  EXPECT_ERROR(Dataset(directory / "none"), DataError, "none", "no such data set");
  EXPECT_ERROR(Dataset(directory.path()), DataError, "holds no shards");
  write_small_set(directory / "set");
  fs::rename(directory / "set" / "shard-00001-of-00003.h5", directory / "second.h5");
  EXPECT_ERROR(Dataset(directory / "set"), DataError, "shard 1 of 3 is missing");
  fs::rename(directory / "second.h5", directory / "set" / "shard-00001-of-00003.h5");
  fs::remove(directory / "set" / "shard-00002-of-00003.h5");
  EXPECT_ERROR(Dataset(directory / "set"), DataError, "2 of 3 shards", "shard 2 is missing");
}

TEST(DatasetBadInput, UnsortedShards) {
  const TempDir directory;
  write_small_set(directory / "set");
  const fs::path set = directory / "set";
  fs::rename(set / "shard-00000-of-00003.h5", set / "x.h5");
  fs::rename(set / "shard-00001-of-00003.h5", set / "shard-00000-of-00003.h5");
  fs::rename(set / "x.h5", set / "shard-00001-of-00003.h5");
  EXPECT_ERROR(Dataset{set}, DataError, "shard-0000", "missing before");
  fs::create_directory(directory / "plain");
  PlainShard{}.write(directory / "plain" / "s2.h5");
  PlainShard{}.write(directory / "plain" / "s10.h5");
  EXPECT_ERROR(Dataset(directory / "plain"), DataError, "s2.h5", "s10.h5", "pad the numbers");
}

TEST(DatasetBadInput, ShardsThatDoNotFitTogether) {
  const TempDir directory;
  PlainShard{}.write(directory / "a.h5");
  const auto expect = [&](const PlainShard& shard, const std::string& x, const std::string& y) {
    shard.write(directory / "b.h5");
    EXPECT_ERROR(Dataset(directory.path()), DataError, "a.h5", "b.h5", x, y);
  };
  expect({.shape = {4, 2, 3, 5}}, "2 x 3 x 5", "2 x 3 x 4");
  expect({.type = h5::Type::kFloat16}, "float16", "float32");
  expect({.classes = 6}, "class count 6", "5");
  expect({.scale = 2}, "scale 2", "has 1");
}

TEST(DatasetBadInput, DamagedFields) {
  const TempDir directory;
  const auto expect = [&](const PlainShard& shard, const std::string& part) {
    shard.write(directory / "a.h5");
    EXPECT_ERROR(Dataset(directory.path()), DataError, "a.h5", part);
  };
  expect({.labels = {0, 1, 2, 5}}, "label 5 of sample 3 is outside 0 to 4");
  expect({.labels = {0, -1, 2, 3}}, "label -1 of sample 1");
  expect({.labels = {0, 1, 2}}, "3 labels, 4 samples");
  expect({.classes = 0}, "num_classes is 0");
  expect({.version = 2}, "format version 2");
  expect({.complete = 0}, "not marked complete");
  expect({.scale = std::nan("")}, "scale nan");
  expect({.shape = {4, 2, 3}}, "expected [N, C, H, W]");
  expect({.type = h5::Type::kFloat64}, "float64");
  expect({.shape = {0, 2, 3, 4}, .labels = {}}, "no samples");
  std::ofstream(directory / "a.h5") << "text";
  EXPECT_ERROR(Dataset(directory.path()), DataError, "a.h5", "truncated to 4 bytes");
  std::ofstream(directory / "a.h5") << "version https://git-lfs.github.com/spec/v1\n";
  EXPECT_ERROR(Dataset(directory.path()), DataError, "a.h5: is a pointer of Git LFS");
  std::ofstream(directory / "a.h5") << "PAR1" + std::string(4096, 'x');
  EXPECT_ERROR(Dataset(directory.path()), DataError, "a.h5: is a Parquet table");
  std::ofstream(directory / "a.h5") << std::string(4096, 'x');
  EXPECT_ERROR(Dataset(directory.path()), DataError, "a.h5", "not a shard");
}

TEST(DatasetBadInput, NanLatents) {
  const TempDir directory;
  PlainShard{.value = std::nanf("")}.write(directory / "a.h5");
  const Dataset plain(directory.path());
  EXPECT_ERROR(read_one(plain, 2), DataError, "a.h5", "sample 2", "NaN");
  // In a shard with checksums the NaN is named, not only the block.
  write_small_set(directory / "set");
  const fs::path file = directory / "set" / "shard-00001-of-00003.h5";
  const std::uint64_t sample = raw_offset(file, "latents") + 3 * 24 * 2;
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekp(static_cast<std::streamoff>(sample));
  stream.write("\xff\x7f", 2);
  stream.close();
  const Dataset dataset(directory / "set");
  EXPECT_ERROR(read_one(dataset, 8), DataError, "shard-00001", "sample 3", "NaN");
}

TEST(DatasetBadInput, TruncatedAndFlippedBytes) {
  const TempDir directory;
  write_small_set(directory / "set");
  const fs::path file = directory / "set" / "shard-00002-of-00003.h5";
  const std::uint64_t latents = raw_offset(file, "latents"), labels = raw_offset(file, "labels");
  const auto with = [&](std::uint64_t offset, const auto& check) {
    flip_byte(file, offset);
    check();
    flip_byte(file, offset);
  };
  with(latents + 9, [&] {
    const Dataset dataset(directory / "set");
    EXPECT_ERROR(read_one(dataset, 17), DataError, "shard-00002", "samples 0 to 3", "checksum");
    EXPECT_ERROR(dataset.shards()[2]->verify(), DataError, "checksum");
    const Dataset trusting(directory / "set", {.verify_blocks = false});
    EXPECT_NO_THROW(read_one(trusting, 17));
  });
  with(labels,
       [&] { EXPECT_ERROR(Dataset(directory / "set"), DataError, "shard-00002", "label"); });
  with(600, [&] { EXPECT_ERROR(Dataset(directory / "set"), DataError, "shard-00002", "headers"); });
  with(20, [&] { EXPECT_ERROR(Dataset(directory / "set"), DataError, "shard-00002", "seal"); });
  EXPECT_NO_THROW(Dataset(directory / "set"));
  const std::uint64_t size = fs::file_size(file);
  fs::resize_file(file, size - 1);
  EXPECT_ERROR(Dataset(directory / "set"), DataError, "shard-00002", "truncated",
               fmt::to_string(size));
  fs::resize_file(file, 100);
  EXPECT_ERROR(Dataset(directory / "set"), DataError, "shard-00002", "truncated to 100");
}

// A file that is cut short while it is in use, with a mapping and without.
TEST(DatasetBadInput, AShardIsCutShortDuringARun) {
  const TempDir directory;
  for (const bool map : {true, false}) {
    for (const bool chunked : {true, false}) {
      const fs::path file = directory / "a.h5";
      PlainShard{.shape = {4, 2, 64, 64}, .chunk_rows = chunked ? 1u : 0u}.write(file);
      const Dataset dataset(file, {.map_files = map});
      EXPECT_EQ(read_one(dataset, 3)[5], 1.f);
      const std::uint64_t size = fs::file_size(file);
      fs::resize_file(file, size / 2);
      EXPECT_ERROR(read_one(dataset, 3), SystemError, "a.h5", "cut short", fmt::to_string(size / 2),
                   fmt::to_string(size));
      EXPECT_ERROR(dataset.shards()[0]->verify(), SystemError, "a.h5", "cut short");
    }
  }
}

// Another program writes into a shard that is in use, and leaves its size as it is.
TEST(Dataset, AShardThatIsWrittenToIsComparedWithItsChecksumsAgain) {
  const TempDir directory;
  write_small_set(directory.path());
  const fs::path file = list_shards(directory.path())[0];
  const Dataset dataset(directory.path());
  (void)read_one(dataset, 0);
  const auto touch = [&] {
    fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(2));
  };
  dataset.look_again();
  touch();
  dataset.look_again();  // as it was
  flip_byte(file, raw_offset(file, "latents"));
  touch();
  EXPECT_ERROR(dataset.look_again(), DataError, file.filename().string(), "checksum");
}

// Nothing is wrong with the shards where only so many files may be open.
TEST(Dataset, MoreShardsThanFilesMayBeOpen) {
  const TempDir directory;
  write_small_set(directory.path());
  const int status = edt::test::status_in_child([&] {
    rlimit limit{24, 24};
    setrlimit(RLIMIT_NOFILE, &limit);
    EXPECT_ERROR(Dataset(directory.path()), UsageError,
                 "its " + fmt::to_string(list_shards(directory.path()).size()) + " shards are open",
                 "24 files are allowed");
    const int next = dup(0);
    close(next);
    limit.rlim_cur = static_cast<rlim_t>(next) + 1;  // one more
    setrlimit(RLIMIT_NOFILE, &limit);
    EXPECT_ERROR((void)verify(directory.path()), UsageError, "ulimit -n");
    return testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace edt::data
