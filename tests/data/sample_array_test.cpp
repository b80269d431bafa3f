// Arrays beside latents, from the writer to the reader.
#include "data/sample_array.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>

#include "data/inspect.h"
#include "data/prefetcher.h"
#include "tests/core/storage/expect_error.h"
#include "tests/data/small_set.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

namespace fs = std::filesystem;
using edt::test::TempDir;
using test::array_values;
using test::small_description;
using test::write_small_set;

// One of each type, sorted by name.
Description with_arrays(bool flipped) {
  Description d = small_description();
  d.flipped = flipped;
  d.arrays = {{"clip.b", {6}, h5::Type::kFloat32, flipped},
              {"dino", {4, 6}, h5::Type::kFloat16, flipped},
              {"small", {2, 3, 5}, h5::Type::kInt8, flipped}};
  return d;
}

std::vector<float> array_at(const Dataset& dataset, std::size_t array, std::uint64_t index,
                            bool flipped = false) {
  ReadScratch scratch;
  std::vector<float> out(dataset.arrays()[array].elements);
  const std::vector<SampleRef> refs{{index, 0, flipped}};
  dataset.read_array(array, refs, scratch, out);
  return out;
}

void damage_byte(const fs::path& file, std::uint64_t offset) {
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekg(static_cast<std::streamoff>(offset));
  const char byte = static_cast<char>(stream.get() ^ 0x10);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.put(byte);
}

TEST(SampleArray, EverySampleComesBack) {
  for (const bool flipped : {false, true}) {
    const TempDir directory;
    const Description d = with_arrays(flipped);
    write_small_set(directory / "set", d);
    const Dataset dataset(directory / "set",
                          {.arrays = {{"small", {}}, {"dino", {4, 6}}, {"clip.b", {}}}});
    ASSERT_EQ(dataset.description().arrays, d.arrays);
    for (std::uint64_t i = 0; i < 20; ++i) {
      for (const bool mirrored : {false, true}) {
        if (mirrored && !flipped) break;
        EXPECT_EQ(array_at(dataset, 0, i, mirrored), array_values(d.arrays[2], i, mirrored)) << i;
        EXPECT_EQ(array_at(dataset, 1, i, mirrored), array_values(d.arrays[1], i, mirrored)) << i;
        EXPECT_EQ(array_at(dataset, 2, i, mirrored), array_values(d.arrays[0], i, mirrored)) << i;
      }
    }
    for (const auto& shard : dataset.shards()) EXPECT_TRUE(shard->sealed());
    EXPECT_THAT(verify(directory / "set").problems, testing::IsEmpty());
    // 24 float16 of latents; 6 float32, 24 float16, and 30 int8 in 6 rows.
    EXPECT_EQ(dataset.read_bytes(), 48u + 24 + 48 + 30 + 24);
  }
}

TEST(SampleArray, Int8IsWithinHalfAStepOfEachRow) {
  const SampleArray array{"a", {2, 4}, h5::Type::kInt8, false};
  const std::vector<float> values{0.3f, -1.f, 0.99f, 1e-3f, 0, 0, 0, 0};
  StoredArray stored;
  append_stored(array, values, stored);
  std::vector<float> back(8);
  apply_scales(stored.values, stored.scales, back);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(back[i], values[i], 0.5f / 127 + 1e-7f);
  EXPECT_EQ(back[1], -1.f);
  for (std::size_t i = 4; i < 8; ++i) EXPECT_EQ(back[i], 0.f);
}

TEST(SampleArray, DamageIsNoticedInEachPart) {
  const Description d = with_arrays(true);
  for (const std::string name :
       {"features/dino", "features_flipped/dino", "features/small", "feature_scales/small",
        "feature_scales_flipped/small", "features_flipped/clip.b"}) {
    const TempDir directory;
    write_small_set(directory / "set", d);
    const fs::path file = directory / "set" / "shard-00001-of-00003.h5";
    damage_byte(file, h5::File::open(file).dataset(name).raw_offset().value() + 1);
    const VerifyReport report = verify(directory / "set");
    ASSERT_EQ(report.problems.size(), 1u) << name;
    EXPECT_THAT(report.problems[0],
                testing::AllOf(testing::HasSubstr("shard-00001-of-00003.h5:/" + name),
                               testing::HasSubstr("checksum")));
    const Dataset dataset(directory / "set",
                          {.arrays = {{"clip.b", {}}, {"dino", {}}, {"small", {}}}});
    const std::size_t array = name.ends_with("dino") ? 1 : name.ends_with("small") ? 2 : 0;
    const bool flipped = name.find("_flipped") != name.npos;
    EXPECT_ERROR(array_at(dataset, array, 8, flipped), DataError, name, "checksum");
    EXPECT_NO_THROW(array_at(dataset, array, 8, !flipped));
    EXPECT_NO_THROW(array_at(dataset, array, 0, flipped));  // of another shard
  }
}

TEST(SampleArray, FewerTokensAreAveragesOfSquares) {
  const TempDir directory;
  Description d = small_description();  // latents of 3 x 4
  d.height = 4;
  d.arrays = {{"dino", {16, 3}, h5::Type::kFloat32, false}};
  write_small_set(directory / "set", d);
  const Dataset dataset(directory / "set", {.arrays = {{"dino", {4, 3}}}});
  const std::vector<float> all = array_values(d.arrays[0], 5), means = array_at(dataset, 0, 5);
  for (std::size_t row = 0; row < 2; ++row) {
    for (std::size_t column = 0; column < 2; ++column) {
      for (std::size_t k = 0; k < 3; ++k) {
        const auto at = [&](std::size_t r, std::size_t c) { return all[(r * 4 + c) * 3 + k]; };
        const std::size_t r = 2 * row, c = 2 * column;
        EXPECT_EQ(means[(row * 2 + column) * 3 + k],
                  (at(r, c) + at(r, c + 1) + at(r + 1, c) + at(r + 1, c + 1)) / 4);
      }
    }
  }
}

TEST(SampleArray, RequestsThatCannotBeMet) {
  const TempDir directory;
  Description d = small_description();
  d.height = 4;
  d.flipped = true;
  d.arrays = {{"dino", {16, 3}, h5::Type::kFloat16, false}};
  write_small_set(directory / "set", d);
  const auto open = [&](const std::string& name, const h5::Shape& shape) {
    return Dataset(directory / "set", {.arrays = {{name, shape}}});
  };
  EXPECT_ERROR(open("dino2", {}), DataError, "no array 'dino2'", "dino 16 x 3 float16");
  EXPECT_ERROR(open("dino", {16, 4}), DataError, "'dino'", "[16, 3]", "[16, 4]");
  EXPECT_ERROR(open("dino", {64, 3}), DataError, "[16, 3]", "[64, 3]");
  EXPECT_ERROR(open("dino", {8, 3}), DataError, "[16, 3]", "[8, 3]");
  EXPECT_ERROR(open("dino", {1, 1, 3}), DataError, "[16, 3]", "[1, 1, 3]");
  EXPECT_NO_THROW(open("dino", {1, 3}));
  EXPECT_ERROR(open("dino", {}).make_order({}), UsageError, "data.flip is on", "'dino' has none");
  EXPECT_NO_THROW(open("dino", {}).make_order({.flips = false}));
}

TEST(SampleArray, ShardsHaveThemInCommon) {
  const TempDir directory;
  Description d = with_arrays(false);
  write_small_set(directory / "set", d);
  d.arrays[1].type = h5::Type::kFloat32;
  write_small_set(directory / "other", d);
  const std::string name = "shard-00001-of-00003.h5";
  fs::copy_file(directory / "other" / name, directory / "set" / name,
                fs::copy_options::overwrite_existing);
  EXPECT_ERROR(Dataset(directory / "set"), DataError, name, "dino 4 x 6 float32",
               "dino 4 x 6 float16");
}

TEST(SampleArray, WhatCannotBeStored) {
  const TempDir directory;
  const auto write = [&](const SampleArray& array) {
    Description d = small_description();
    d.arrays = {array};
    write_small_set(directory / "set", d);
  };
  EXPECT_ERROR(write({"a/b", {4}, h5::Type::kFloat16, false}), DataError, "'a/b' is no name");
  EXPECT_ERROR(write({"a", {}, h5::Type::kFloat16, false}), DataError, "array a of []");
  EXPECT_ERROR(write({"a", {4, 0}, h5::Type::kFloat16, false}), DataError, "[4, 0]");
  EXPECT_ERROR(write({"a", {1, 2, 3, 4, 5}, h5::Type::kFloat16, false}), DataError,
               "one to 4 extents");
  EXPECT_ERROR(write({"a", {1 << 14, 1 << 14}, h5::Type::kFloat16, false}), DataError, "16384");
  EXPECT_ERROR(write({"a", {4}, h5::Type::kInt32, false}), DataError, "int32");
  Description d = small_description();
  for (int i = 0; i < 7; ++i) {
    d.arrays.push_back({std::to_string(i), {2}, h5::Type::kInt8, false});
  }
  EXPECT_ERROR(write_small_set(directory / "set", d), DataError, "7 arrays", "at most 6");
  d.arrays.pop_back();
  d.flipped = true;
  for (SampleArray& array : d.arrays) array.flipped = true;
  EXPECT_NO_THROW(write_small_set(directory / "full", d));  // as many ranges as the seal can name
  EXPECT_THAT(verify(directory / "full").problems, testing::IsEmpty());
}

// What h5py would write: no seal, no checksums.
struct PlainFeatures {
  h5::Shape shape{4, 2, 3};
  h5::Type type = h5::Type::kFloat32;
  float value = 2;
  std::string name = "features/dino";
  bool scales = false;
  std::uint64_t chunk_rows = 0;

  void write(const fs::path& path) const {
    h5::File file = h5::File::create(path);
    const auto add = [&](const std::string& array, h5::Type as, const h5::Shape& of, float fill) {
      std::uint64_t n = 1;
      for (const std::uint64_t extent : of) n *= extent;
      const std::vector<float> values(n, fill);
      file.create_dataset(array, as, of, chunk_rows).write(h5::Type::kFloat32, values.data());
    };
    add("latents", h5::Type::kFloat32, {4, 2, 3, 4}, 1);
    add(name, type, shape, value);
    if (scales) add("feature_scales/dino", h5::Type::kFloat32, {4, 2}, 0.5f);
    const std::vector<std::int32_t> labels{0, 1, 2, 3};
    file.create_dataset("labels", h5::Type::kInt32, {4}).write(h5::Type::kInt32, labels.data());
    for (const auto& [attribute, number] : {std::pair{"format_version", 1},
                                            {"num_classes", 5},
                                            {"image_size", 32},
                                            {"complete", 1}}) {
      file.write_attribute(attribute, number);
    }
    file.write_attribute("scale", 1.0);
    file.close();
  }
};

TEST(SampleArray, OfOtherPrograms) {
  const TempDir directory;
  const fs::path path = directory / "a.h5";
  const auto arrays = [&](const PlainFeatures& features) {
    features.write(path);
    return Dataset(path).description().arrays;
  };
  EXPECT_THAT(arrays({}),
              testing::ElementsAre(SampleArray{"dino", {2, 3}, h5::Type::kFloat32, false}));
  EXPECT_EQ(array_at(Dataset(path, {.arrays = {{"dino", {}}}}), 0, 3)[5], 2.f);
  EXPECT_EQ(arrays({.type = h5::Type::kInt8, .scales = true}).size(), 1u);
  EXPECT_EQ(array_at(Dataset(path, {.arrays = {{"dino", {}}}}), 0, 3)[5], 1.f);
  EXPECT_EQ(arrays({.chunk_rows = 3}).size(), 1u);
  EXPECT_EQ(array_at(Dataset(path, {.arrays = {{"dino", {}}}}), 0, 3)[5], 2.f);
  // Nothing that this format knows: passed over, as by the versions before.
  EXPECT_THAT(arrays({.type = h5::Type::kInt8}), testing::IsEmpty());
  EXPECT_THAT(arrays({.type = h5::Type::kFloat64}), testing::IsEmpty());
  EXPECT_THAT(arrays({.name = "features/a/b"}), testing::IsEmpty());
  EXPECT_THAT(arrays({.name = "features"}), testing::IsEmpty());
  EXPECT_ERROR(Dataset(path, {.arrays = {{"dino", {}}}}), DataError, "no array 'dino'", "none");
  EXPECT_ERROR(arrays({.shape = {5, 2, 3}}), DataError, "features/dino: 5 samples",
               "latents has 4");
  EXPECT_ERROR(arrays({.shape = {4, 3, 3}, .type = h5::Type::kInt8, .scales = true}), DataError,
               "feature_scales/dino", "[4, 2]", "[4, 3]");
  arrays({.value = std::nanf("")});
  EXPECT_ERROR(array_at(Dataset(path, {.arrays = {{"dino", {}}}}), 0, 1), DataError,
               "features/dino: sample 1", "NaN");
  EXPECT_ERROR(arrays({.value = 0}), DataError, "features/dino: sample 0 was never written");
}

TEST(SampleArray, BatchesCarryThem) {
  const TempDir directory;
  const Description d = with_arrays(true);
  write_small_set(directory / "set", d);
  const Dataset dataset(directory / "set", {.arrays = {{"small", {}}, {"dino", {}}}});
  Prefetcher prefetcher(dataset, dataset.make_order({.seed = 5}), 4,
                        [](std::uint64_t number, std::span<std::uint64_t> positions) {
                          for (std::size_t i = 0; i < 4; ++i) positions[i] = number * 4 + i;
                        });
  std::vector<const float*> addresses;
  for (int number = 0; number < 20; ++number) {
    const Batch& batch = prefetcher.next();
    ASSERT_EQ(batch.arrays.size(), 2u);
    for (std::size_t i = 0; i < 4; ++i) {
      const SampleRef& ref = batch.samples[i];
      const auto small = std::span(batch.arrays[0]).subspan(i * 30, 30);
      const auto dino = std::span(batch.arrays[1]).subspan(i * 24, 24);
      EXPECT_THAT(small,
                  testing::ElementsAreArray(array_values(d.arrays[2], ref.index, ref.flipped)));
      EXPECT_THAT(dino,
                  testing::ElementsAreArray(array_values(d.arrays[1], ref.index, ref.flipped)));
    }
    addresses.push_back(batch.arrays[1].data());
    if (number >= 5) {
      EXPECT_EQ(addresses.back(), addresses[addresses.size() - 6]);
    }
  }
}

}  // namespace
}  // namespace edt::data
