#include "data/import.h"

#include <cmath>

#include "core/storage/safetensors.h"
#include "data/dataset.h"
#include "data/inspect.h"
#include "tests/core/storage/expect_error.h"
#include "tests/core/storage/temp_dir.h"
#include "tests/data/npy_files.h"

namespace edt::data {
namespace {

namespace fs = std::filesystem;
using edt::test::TempDir;
using test::write_npy;

constexpr std::uint64_t kElements = 2 * 3 * 4;

std::vector<float> values_of(std::uint64_t i, float sign = 1) {
  std::vector<float> values(kElements);
  for (std::uint64_t e = 0; e < kElements; ++e) values[e] = sign * static_cast<float>(i * 32 + e);
  return values;
}

std::vector<float> rows(std::uint64_t first, std::uint64_t count, float sign = 1) {
  std::vector<float> all;
  for (std::uint64_t i = first; i < first + count; ++i) {
    const auto one = values_of(i, sign);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

std::vector<std::int64_t> labels(std::uint64_t first, std::uint64_t count) {
  std::vector<std::int64_t> all;
  for (std::uint64_t i = first; i < first + count; ++i)
    all.push_back(static_cast<std::int64_t>(i % 5));
  return all;
}

void expect_samples(const fs::path& path, std::uint64_t count, bool flipped, float factor = 1) {
  const Dataset dataset(path);
  ASSERT_EQ(dataset.size(), count);
  EXPECT_EQ(dataset.description().flipped, flipped);
  ReadScratch scratch;
  std::vector<float> out(kElements);
  for (std::uint64_t i = 0; i < count; ++i) {
    EXPECT_EQ(dataset.label(i), static_cast<std::int32_t>(i % 5));
    for (const bool mirror : {false, true}) {
      if (mirror && !flipped) break;
      const std::vector<SampleRef> refs{{i, 0, mirror}};
      dataset.read(refs, 0, scratch, out);
      EXPECT_EQ(out, values_of(i, mirror ? -factor : factor)) << i;
    }
  }
  EXPECT_TRUE(verify(path).problems.empty());
}

ImportOptions options_for(const TempDir& directory, ImportLayout layout) {
  ImportOptions options;
  options.layout = layout;
  options.out = directory / "out";
  options.classes = 5;
  options.samples_per_shard = 8;
  return options;
}

void write_folders(const TempDir& directory, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string name = std::to_string(i) + ".npy";
    const std::vector<std::uint64_t> shape =
        i % 2 ? std::vector<std::uint64_t>{1, 2, 3, 4} : std::vector<std::uint64_t>{2, 3, 4};
    write_npy(directory / "f" / name, "<f4", shape, values_of(i));
    write_npy(directory / "l" / name, "<i8",
              i % 2 ? std::vector<std::uint64_t>{1} : std::vector<std::uint64_t>{}, labels(i, 1));
  }
}

ImportOptions folder_options(const TempDir& directory) {
  ImportOptions options = options_for(directory, ImportLayout::kFolders);
  options.latents = directory / "f";
  options.labels = directory / "l";
  return options;
}

TEST(ImportFolders, PairsByNumber) {
  const TempDir directory;
  write_folders(directory, 12);  // 10.npy sorts behind 9.npy
  ImportOptions options = folder_options(directory);
  options.layout = ImportLayout::kAuto;
  import_data(options);
  expect_samples(directory / "out", 12, false);
}

TEST(ImportFolders, AnyNamesThatPair) {
  const TempDir directory;
  for (std::uint64_t i = 0; i < 12; ++i) {
    const std::string name = fmt::format("img_{}.npy", i);
    write_npy(directory / "f" / name, "<f4", {2, 3, 4}, values_of(i));
    write_npy(directory / "g" / name, "<f4", {2, 3, 4}, values_of(i, -1));
    write_npy(directory / "l" / name, "<i4", {1},
              std::vector<std::int32_t>{static_cast<std::int32_t>(i % 5)});
  }
  ImportOptions options = folder_options(directory);
  options.flipped_latents = directory / "g";
  import_data(options);
  expect_samples(directory / "out", 12, true);
}

TEST(ImportFolders, BadInput) {
  const TempDir directory;
  write_folders(directory, 4);
  const ImportOptions options = folder_options(directory);
  fs::rename(directory / "l" / "3.npy", directory / "l" / "4.npy");
  EXPECT_ERROR(import_data(options), DataError, "do not pair", "3.npy", "4.npy");
  fs::remove(directory / "l" / "4.npy");
  EXPECT_ERROR(import_data(options), DataError, "holds 4 .npy files", "holds 3");
  write_npy(directory / "l" / "3.npy", "<i8", {1}, std::vector<std::int64_t>{5});
  EXPECT_ERROR(import_data(options), DataError, "3.npy", "label 5", "0 to 4");
  write_npy(directory / "l" / "3.npy", "<i8", {2}, std::vector<std::int64_t>{1, 2});
  EXPECT_ERROR(import_data(options), DataError, "3.npy", "one label");
  write_npy(directory / "l" / "3.npy", "<i8", {1}, std::vector<std::int64_t>{1});
  write_npy(directory / "f" / "2.npy", "<f4", {2, 4, 3}, values_of(2));
  EXPECT_ERROR(import_data(options), DataError, "2.npy", "[2, 4, 3]", "[2, 3, 4]");
  std::vector<float> bad = values_of(2);
  bad[7] = std::nanf("");
  write_npy(directory / "f" / "2.npy", "<f4", {2, 3, 4}, bad);
  EXPECT_ERROR(import_data(options), DataError, "2.npy", "NaN");
  write_npy(directory / "f" / "2.npy", "<f4", {2, 3, 5}, values_of(2));
  EXPECT_ERROR(import_data(options), DataError, "2.npy", "promises");
  EXPECT_TRUE(fs::is_empty(directory / "out"));
  ImportOptions missing = options;
  missing.latents = directory / "none";
  EXPECT_ERROR(import_data(missing), DataError, "none", "not a folder");
}

// Samples 0 ... count - 1 as a pair of arrays.
ImportOptions array_of(const TempDir& directory, std::uint64_t count) {
  write_npy(directory / "x.npy", "<f4", {count, 2, 3, 4}, rows(0, count));
  write_npy(directory / "y.npy", "<i8", {count}, labels(0, count));
  ImportOptions options = options_for(directory, ImportLayout::kArray);
  options.latents = directory / "x.npy";
  options.labels = directory / "y.npy";
  return options;
}

TEST(ImportArray, NpyWithStatisticsAndScale) {
  const TempDir directory;
  write_npy(directory / "x.npy", "<f8", {20, 2, 3, 4}, [] {
    const auto floats = rows(0, 20);
    return std::vector<double>(floats.begin(), floats.end());
  }());
  write_npy(directory / "y.npy", "<i8", {20}, labels(0, 20));
  ImportOptions options = options_for(directory, ImportLayout::kArray);
  options.latents = directory / "x.npy";
  options.labels = directory / "y.npy";
  options.scale = 0.5;
  options.scaled = false;
  options.statistics = true;
  import_data(options);
  expect_samples(directory / "out", 20, false, 0.5);
  const DatasetInfo info = describe(directory / "out");
  EXPECT_EQ(info.shards, 3u);
  EXPECT_EQ(info.class_counts, (std::vector<std::uint64_t>{4, 4, 4, 4, 4}));
  // Channel 0 holds (i * 32 + e) / 2, e = 0 ... 11.
  EXPECT_NEAR(info.description.channel_mean[0], (9.5 * 32 + 5.5) / 2, 1e-9);
  EXPECT_NEAR(info.description.channel_std[0],
              std::sqrt((20.0 * 20 - 1) / 12 * 32 * 32 + (12.0 * 12 - 1) / 12) / 2, 1e-9);
  EXPECT_EQ(info.description.image_size, 24);
}

TEST(ImportArray, TheImageSizeIsEightTimesTheLatents) {
  const TempDir directory;
  ImportOptions options = array_of(directory, 4);
  const int side = 8 * 3;
  options.image_size = side + 4;
  EXPECT_ERROR(import_data(options), UsageError, "--image-size is 28", "latents of 3 x",
               "pictures of 24 pixels");
  EXPECT_FALSE(std::filesystem::exists(directory / "out"));
  options.image_size = side;
  import_data(options);
  EXPECT_EQ(Dataset(directory / "out").description().image_size, side);
}

TEST(ImportArray, Moments) {
  const TempDir directory;
  ImportOptions options = array_of(directory, 4);
  options.moments = true;
  import_data(options);
  EXPECT_TRUE(Dataset(directory / "out").description().moments);
  EXPECT_EQ(Dataset(directory / "out").description().channels, 1);
}

TEST(ImportArray, BadInput) {
  const TempDir directory;
  write_npy(directory / "x.npy", "<f4", {4, 2, 3, 4}, rows(0, 4));
  write_npy(directory / "y.npy", "<i8", {3}, labels(0, 3));
  ImportOptions options = options_for(directory, ImportLayout::kArray);
  options.latents = directory / "x.npy";
  EXPECT_ERROR(import_data(options), UsageError, "labels");
  options.labels = directory / "y.npy";
  EXPECT_ERROR(import_data(options), DataError, "y.npy", "[3]", "4 labels");
  write_npy(directory / "y.npy", "<i8", {4}, std::vector<std::int64_t>{0, 1, 1000, 2});
  EXPECT_ERROR(import_data(options), DataError, "y.npy", "label 1000 of sample 2");
  options.labels = directory / "x.npy";
  EXPECT_ERROR(import_data(options), DataError, "x.npy", "[4, 2, 3, 4]");
  options.latents = directory / "none.npz";
  options.labels.clear();
  EXPECT_ERROR(import_data(options), DataError, "none.npz", "does not exist");
}

void write_safetensors(const fs::path& path, std::uint64_t first, std::uint64_t count,
                       bool flipped) {
  std::vector<SafetensorsEntry> entries{{"latents", SafetensorsType::kF32, {count, 2, 3, 4}}};
  if (flipped) entries.push_back({"latents_flip", SafetensorsType::kF32, {count, 2, 3, 4}});
  entries.push_back({"labels", SafetensorsType::kI64, {count}});
  fs::create_directories(path.parent_path());
  SafetensorsWriter writer(path, entries);
  writer.append_values<float>(rows(first, count));
  if (flipped) writer.append_values<float>(rows(first, count, -1));
  writer.append_values<std::int64_t>(labels(first, count));
  writer.finish();
}

TEST(ImportSafetensors, FolderOfFiles) {
  const TempDir directory;
  write_safetensors(directory / "s" / "part_2.safetensors", 0, 5, true);
  write_safetensors(directory / "s" / "part_10.safetensors", 5, 9, true);
  ImportOptions options = options_for(directory, ImportLayout::kSafetensors);
  options.latents = directory / "s";
  options.layout = ImportLayout::kAuto;
  import_data(options);
  expect_samples(directory / "out", 14, true);
}

TEST(ImportSafetensors, BadInput) {
  const TempDir directory;
  write_safetensors(directory / "s" / "a.safetensors", 0, 5, true);
  write_safetensors(directory / "s" / "b.safetensors", 5, 5, false);
  ImportOptions options = options_for(directory, ImportLayout::kSafetensors);
  options.latents = directory / "s";
  EXPECT_ERROR(import_data(options), DataError, "b.safetensors", "lacks 'latents_flip'");
  options.latents_key = "z";
  EXPECT_ERROR(import_data(options), DataError, "a.safetensors", "no tensor 'z'");
  options.latents = directory / "none";
  EXPECT_ERROR(import_data(options), DataError, "none");
}

TEST(Import, InterruptedImportContinues) {
  const TempDir directory;
  ImportOptions options = array_of(directory, 20);
  EXPECT_THROW(import_data(options,
                           [](std::uint64_t done, std::uint64_t) {
                             if (done == 13) throw std::runtime_error("stopped");
                           }),
               std::runtime_error);
  EXPECT_EQ(list_shards(directory / "out").size(), 1u);
  std::uint64_t first = 0;
  import_data(options, [&](std::uint64_t done, std::uint64_t) { first = first ? first : done; });
  EXPECT_EQ(first, 9u);
  expect_samples(directory / "out", 20, false);
}

TEST(Verify, CollectsEveryProblem) {
  const TempDir directory;
  ImportOptions options = array_of(directory, 20);
  import_data(options);
  const auto shards = list_shards(directory / "out");
  fs::resize_file(shards[0], fs::file_size(shards[0]) - 8);
  fs::resize_file(shards[2], 10);
  const VerifyReport report = verify(directory / "out");
  ASSERT_EQ(report.problems.size(), 2u);
  EXPECT_THAT(report.problems[0], testing::HasSubstr(shards[0].string()));
  EXPECT_THAT(report.problems[1], testing::HasSubstr(shards[2].string()));
  EXPECT_EQ(report.samples, 8u);
  fs::remove(shards[0]);
  fs::remove(shards[2]);
  ASSERT_EQ(verify(directory / "out").problems.size(), 1u);
  EXPECT_THAT(verify(directory / "out").problems[0], testing::HasSubstr("missing"));
}

}  // namespace
}  // namespace edt::data
