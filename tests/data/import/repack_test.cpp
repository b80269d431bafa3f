#include "data/import/repack.h"

#include "data/dataset.h"
#include "data/inspect.h"
#include "data/read_bench.h"
#include "tests/core/storage/expect_error.h"
#include "tests/core/storage/foreign_hdf5.h"
#include "tests/data/small_set.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

namespace fs = std::filesystem;
using edt::test::TempDir;
using test::small_description;

// The small set as another program keeps it: compressed in chunks of many samples.
void write_compressed(const fs::path& directory, const Description& d, std::uint64_t shards = 2,
                      std::uint64_t samples = 16) {
  fs::create_directories(directory);
  for (std::uint64_t shard = 0; shard < shards; ++shard) {
    const fs::path path = directory / ("part-" + std::to_string(shard) + ".h5");
    {
      const edt::test::ForeignFile file(path);
      const hid_t half = edt::test::float16();
      const hsize_t stored = static_cast<hsize_t>(d.channels) * (d.moments ? 2 : 1);
      for (const bool flipped : {false, true}) {
        if (flipped && !d.flipped) break;
        const auto storage = edt::test::in_chunks(
            {8, stored, 3, 4}, [](hid_t p) { H5Pset_shuffle(p), H5Pset_deflate(p, 4); });
        file.add(flipped ? d.flipped_name().c_str() : d.array_name(), {samples, stored, 3, 4},
                 storage, true, half, static_cast<float>(shard + 1));
      }
      H5Tclose(half);
      file.add("labels", {samples}, {}, true, H5T_STD_I64LE, static_cast<float>(shard));
    }
    // Attributes in the same file, as h5py would add them.
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT),
                space = H5Screate(H5S_SCALAR);
    for (const auto& [name, value] : std::map<std::string, double>{{"format_version", 1},
                                                                   {"num_classes", 40},
                                                                   {"image_size", 24},
                                                                   {"complete", 1},
                                                                   {"vae_step", 500}}) {
      const hid_t attribute =
          H5Acreate2(file, name.c_str(), H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
      H5Awrite(attribute, H5T_NATIVE_DOUBLE, &value);
      H5Aclose(attribute);
    }
    const hid_t scale = H5Acreate2(file, "scale", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(scale, H5T_NATIVE_DOUBLE, &d.scale);
    H5Aclose(scale);
    H5Sclose(space);
    H5Fclose(file);
  }
}

std::vector<float> all_values(const Dataset& dataset, bool flipped,
                              std::vector<std::int32_t>& labels) {
  std::vector<SampleRef> refs;
  for (std::uint64_t i = 0; i < dataset.size(); ++i)
    refs.push_back({.index = i, .flipped = flipped});
  std::vector<float> values(refs.size() * dataset.description().latent_elements());
  labels.resize(refs.size());
  ReadScratch scratch;
  dataset.read(refs, 1, scratch, values, labels);
  return values;
}

TEST(Repack, ValuesLabelsAndAttributesStayAsTheyAre) {
  for (const bool moments : {false, true}) {
    const TempDir directory;
    Description d = small_description();
    d.flipped = true;
    d.moments = moments;
    d.scale = 0.25;
    write_compressed(directory / "in", d);
    const WriteReport report =
        repack({.in = directory / "in", .out = directory / "out", .samples_per_shard = 9});
    EXPECT_EQ(report.written, 4u);
    const Dataset in(directory / "in"), out(directory / "out");
    std::vector<std::int32_t> labels, kept;
    for (const bool flipped : {false, true}) {
      EXPECT_EQ(all_values(in, flipped, labels), all_values(out, flipped, kept));
    }
    EXPECT_EQ(labels, kept);
    EXPECT_EQ(labels[17], 2);
    EXPECT_EQ(out.description().scale, 0.25);
    EXPECT_EQ(out.description().moments, moments);
    EXPECT_EQ(out.description().type, h5::Type::kFloat16);
    EXPECT_EQ(std::get<std::vector<std::int64_t>>(*out.description().others.at("vae_step")),
              std::vector<std::int64_t>{500});
    EXPECT_TRUE(verify(directory / "out").problems.empty());
    EXPECT_EQ(out.shards()[0]->decoded_samples(), 1);
    EXPECT_TRUE(out.shards()[0]->has_checksums() && out.shards()[0]->sealed());
  }
}

TEST(Repack, ContinuesBehindWholeShardsAndOnTheSameInputOnly) {
  const TempDir directory;
  write_compressed(directory / "in", small_description());
  const RepackOptions options{
      .in = directory / "in", .out = directory / "out", .samples_per_shard = 10};
  struct Interrupted {};
  const auto stop = [](std::uint64_t done, std::uint64_t) {
    if (done >= 20) throw Interrupted{};
  };
  EXPECT_THROW(repack(options, stop), Interrupted);
  const WriteReport report = repack(options);
  EXPECT_EQ(report.kept, 2u);
  EXPECT_EQ(report.written, 2u);
  std::vector<std::int32_t> labels, kept;
  EXPECT_EQ(all_values(Dataset(directory / "in"), false, labels),
            all_values(Dataset(directory / "out"), false, kept));
  EXPECT_EQ(labels, kept);
  write_compressed(directory / "in", small_description(), 3);
  EXPECT_ERROR(repack(options), DataError, "out", "--replace");
}

TEST(Repack, TheInputIsNotOverwritten) {
  const TempDir directory;
  test::write_small_set(directory / "set", small_description(), 20, 20);
  for (const fs::path& in : {directory / "set", directory / "set" / "shard-00000-of-00001.h5"}) {
    EXPECT_ERROR(repack({.in = in, .out = directory / "set", .replace = true}), UsageError, "set",
                 "another directory");
  }
  EXPECT_EQ(Dataset(directory / "set").size(), 20u);
}

TEST(SlowLayout, IsJudgedByWhatIsDecodedForASample) {
  const TempDir directory;
  write_compressed(directory / "in", small_description());
  EXPECT_EQ(Dataset(directory / "in").slow_layout(), "") << "all of it stays decoded";
  const Dataset dataset(directory / "in", {.cache_bytes = 500});
  EXPECT_EQ(dataset.shards()[0]->decoded_samples(), 8);
  EXPECT_THAT(dataset.slow_layout(), testing::HasSubstr("decodes 8 samples to give one"));
  EXPECT_THAT(dataset.slow_layout(), testing::HasSubstr("edt data repack"));
  test::write_small_set(directory / "own");
  EXPECT_EQ(Dataset(directory / "own", {.cache_bytes = 0}).slow_layout(), "");
}

// In whatever memory, the values are the same.
TEST(SlowLayout, ValuesDoNotDependOnTheCache) {
  const TempDir directory;
  write_compressed(directory / "in", small_description());
  std::vector<std::int32_t> labels;
  const std::vector<float> all = all_values(Dataset(directory / "in"), false, labels);
  for (const std::uint64_t bytes : {0, 400, 1000}) {
    const Dataset dataset(directory / "in", {.cache_bytes = bytes});
    EXPECT_EQ(all_values(dataset, false, labels), all) << bytes;
    std::vector<float> few(5 * 24);  // across the border of two blocks
    std::vector<std::byte> scratch;
    dataset.shards()[0]->read(6, 5, false, true, scratch, few);
    EXPECT_EQ(few, std::vector<float>(all.begin() + 6 * 24, all.begin() + 11 * 24)) << bytes;
  }
}

TEST(ReadBench, TimeIsBoundedAndProgressShown) {
  const TempDir directory;
  write_compressed(directory / "in", small_description());
  std::vector<std::uint64_t> turns;
  const ReadBench result =
      bench_reads(directory / "in", {.batch = 4, .seconds = 0.01, .cache_bytes = 500},
                  [&](std::uint64_t done, std::uint64_t total) {
                    EXPECT_EQ(total, 30u);
                    turns.push_back(done);
                  });
  EXPECT_EQ(turns.size(), 30u);
  EXPECT_EQ(result.samples, 32u);
  EXPECT_GT(result.random, 0);
  EXPECT_GT(result.ratio, 0);
  EXPECT_NE(result.slow_layout, "");
}

}  // namespace
}  // namespace edt::data
