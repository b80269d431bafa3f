#include "data/import/import.h"

#include <gmock/gmock-matchers.h>

#include <cmath>

#include "core/base/log.h"
#include "core/storage/safetensors.h"
#include "data/dataset.h"
#include "data/import/moments.h"
#include "data/inspect.h"
#include "tests/core/storage/expect_error.h"
#include "tests/core/storage/stored_zip.h"
#include "tests/data/import/npy_files.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

namespace fs = std::filesystem;
using edt::test::TempDir;
using test::npy_text;
using test::write_bytes;
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
  options.scaled = true;
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
  EXPECT_ERROR(import_data(options), DataError, "holds 4 files", "holds 3");
  write_npy(directory / "l" / "3.npy", "<i8", {1}, std::vector<std::int64_t>{5});
  EXPECT_ERROR(import_data(options), DataError, "3.npy", "label 5", "0 to 4");
  write_npy(directory / "l" / "3.npy", "<i8", {2}, std::vector<std::int64_t>{1, 2});
  EXPECT_ERROR(import_data(options), DataError, "3.npy", "not one-hot");
  write_npy(directory / "l" / "3.npy", "<i8", {1}, std::vector<std::int64_t>{1});
  write_npy(directory / "f" / "2.npy", "<f4", {2, 4, 3}, values_of(2));
  EXPECT_ERROR(import_data(options), DataError, "2.npy", "[2, 4, 3]", "[2, 3, 4]");
  std::vector<float> bad = values_of(2);
  bad[7] = std::nanf("");
  write_npy(directory / "f" / "2.npy", "<f4", {2, 3, 4}, bad);
  EXPECT_ERROR(import_data(options), DataError, "2.npy", "NaN");
  write_npy(directory / "f" / "2.npy", "<f4", {2, 3, 5}, values_of(2));
  EXPECT_ERROR(import_data(options), DataError, "2.npy", "promises");
  EXPECT_FALSE(fs::exists(directory / "out"));
  ImportOptions missing = options;
  missing.latents = directory / "none";
  EXPECT_ERROR(import_data(missing), UsageError, "none", "no such file or folder");
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

TEST(ImportArray, StatisticsThatComeWithTheLatents) {
  const TempDir directory;
  ImportOptions options = array_of(directory, 4);
  const auto arrays = [&](const std::string& first, const std::vector<double>& a,
                          const std::string& second, const std::vector<double>& b) {
    write_bytes(directory / "s.npz",
                edt::test::stored_zip({{first + ".npy", npy_text("<f8", {1, a.size(), 1, 1}, a)},
                                       {second + ".npy", npy_text("<f8", {b.size()}, b)}}));
  };
  options.statistics_from = directory / "s.npz";
  arrays("latents_bias", {0.5, -2}, "latents_scale", {4, 0.25});
  import_data(options);
  const Description d = Dataset(directory / "out").description();
  EXPECT_EQ(d.channel_mean, (std::vector<double>{0.5, -2}));
  EXPECT_EQ(d.channel_std, (std::vector<double>{0.25, 4}));
  arrays("mean", {0.5, -2}, "std", {4, 0.5});
  EXPECT_ERROR(import_data(options), DataError, "--statistics-from: ", "--replace");
  options.replace = true;
  import_data(options);
  EXPECT_EQ(Dataset(directory / "out").description().channel_std, (std::vector<double>{4, 0.5}));
  arrays("mean", {0.5, -2, 1}, "std", {4, 0.5});
  EXPECT_ERROR(import_data(options), DataError, "s.npz", "[1, 3, 1, 1]", "expected 2 numbers");
  arrays("mean", {0.5, -2}, "std", {4, 0});
  EXPECT_ERROR(import_data(options), DataError, "s.npz", "0 is no deviation");
  arrays("mean", {0.5, std::nan("")}, "std", {4, 1});
  EXPECT_ERROR(import_data(options), DataError, "s.npz", "contains nan");
  arrays("mean", {0.5, -2}, "var", {4, 1});
  EXPECT_ERROR(import_data(options), DataError, "no 'std' or 'latents_scale'", "var");
  options.statistics = true;
  EXPECT_ERROR(import_data(options), UsageError, "--statistics measures", "s.npz");
}

TEST(ImportArray, TheImageSizeIsEightTimesTheLatents) {
  const TempDir directory;
  ImportOptions options = array_of(directory, 4);
  const int side = 8 * 3;
  options.image_size = side + 4;
  EXPECT_ERROR(import_data(options), UsageError, "--image-size is 28", "latents of 3 x",
               "pictures of 24 pixels", "--vae-factor 8");
  EXPECT_FALSE(std::filesystem::exists(directory / "out"));
  options.image_size = side;
  import_data(options);
  EXPECT_EQ(Dataset(directory / "out").description().image_size, side);
}

// Two samples of 4 + 4 channels of 2 x 2; the second halves hold `second` + i / 100.
ImportOptions moments_of(const TempDir& directory, float second) {
  std::vector<float> values(2 * 8 * 4);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float small = static_cast<float>(i) / 100;
    values[i] = i % 32 < 16 ? small - 0.3f : second + small;
  }
  write_npy(directory / "m.npy", "<f4", {2, 8, 2, 2}, values);
  write_npy(directory / "y.npy", "<i8", {2}, labels(0, 2));
  ImportOptions options = options_for(directory, ImportLayout::kArray);
  options.latents = directory / "m.npy";
  options.labels = directory / "y.npy";
  options.type = h5::Type::kFloat32;
  options.scaled.reset();
  return options;
}

std::vector<float> stored(const fs::path& set, std::uint64_t index) {
  const Dataset dataset(set);
  std::vector<std::byte> scratch;
  std::vector<float> values(dataset.description().stored_elements());
  dataset.shards()[0]->read(index, 1, false, true, scratch, values);
  return values;
}

TEST(ImportMoments, StandardDeviationsAreTakenAsTheyAre) {
  const TempDir directory;
  ImportOptions options = moments_of(directory, 0.5f);
  options.moments = Moments::kStd;
  import_data(options);
  EXPECT_TRUE(Dataset(directory / "out").description().moments);
  EXPECT_EQ(Dataset(directory / "out").description().channels, 4);
  EXPECT_EQ(stored(directory / "out", 1)[16], 0.5f + 0.48f);
}

TEST(ImportMoments, LogVariancesBecomeDeviations) {
  const TempDir directory;
  ImportOptions options = moments_of(directory, -13.f);
  options.moments = Moments::kLogvar;
  import_data(options);
  const std::vector<float> values = stored(directory / "out", 0);
  EXPECT_EQ(values[15], 0.15f - 0.3f);
  for (std::size_t i = 16; i < 32; ++i) {
    EXPECT_NEAR(values[i], std::exp((-13.0 + static_cast<double>(i) / 100) / 2), 1e-8);
  }
}

// Before, --scaled on was passed over: what is drawn from them would have been scaled twice.
TEST(ImportMoments, ThoseOfScaledLatentsAreStoredUnscaled) {
  const TempDir directory;
  ImportOptions options = moments_of(directory, 0.5f);
  options.scaled = true;
  options.scale = 0.25;
  options.moments = Moments::kStd;
  import_data(options);
  const std::vector<float> values = stored(directory / "out", 0);
  EXPECT_EQ(values[15], (0.15f - 0.3f) * 4);
  EXPECT_EQ(values[16], (0.5f + 0.16f) * 4);
  options.scaled = false;
  EXPECT_ERROR(import_data(options), DataError, "moments of scaled latents was on",
               "is now not given");
  options = moments_of(directory, -13.f);
  options.scaled = options.replace = true;
  options.scale = 0.25;
  options.moments = Moments::kLogvar;
  import_data(options);
  EXPECT_NEAR(stored(directory / "out", 0)[16], 4 * std::exp(-12.84 / 2), 1e-7);
}

TEST(ImportMoments, MeansThatDoNotLookAsTheyWereSaidAreTold) {
  const TempDir directory;
  ImportOptions options = moments_of(directory, 0.5f);  // their means have a deviation of 0.05
  options.moments = Moments::kStd;
  testing::internal::CaptureStderr();
  import_data(options);
  log::flush();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("means of the first sample is 0.008"));
}

TEST(ImportMoments, LogVariancesAreHeldWithinThePublishedBounds) {
  std::vector<float> values{-1000, -30, 20, 1000};
  log_variance_to_deviation(values);
  EXPECT_EQ(values[0], values[1]);
  EXPECT_NEAR(values[0], std::exp(-15.0), 1e-12);
  EXPECT_EQ(values[2], values[3]);
  EXPECT_NEAR(values[3], std::exp(10.0), 1e-2);
}

TEST(ImportMoments, WhatTheyAreIsSaidWhereValuesCannotDecide) {
  const TempDir directory;
  const ImportOptions negative = moments_of(directory, -13.f);
  EXPECT_ERROR(import_data(negative), UsageError, "m.npy", "8 channels", "of 4",
               "--moments off, std or logvar", "no std");
  const ImportOptions positive = moments_of(directory, 0.5f);
  EXPECT_ERROR(import_data(positive), UsageError, "8 channels", "nowhere negative");
  EXPECT_FALSE(fs::exists(directory / "out"));
  const std::vector<float> plain{-1, 1, -1, 1};
  const auto decided = [&](std::uint64_t channels, std::span<const float> sample) {
    return decide_moments(Moments::kAuto, {channels, 1, 1}, sample, "x");
  };
  EXPECT_EQ(decided(4, plain), Moments::kOff);
  EXPECT_EQ(decided(3, std::vector<float>{-1, 1, 1}), Moments::kOff);
  EXPECT_ERROR(decided(4, std::vector<float>({-1, 1, 1, 1})), UsageError, "4 channels", "of 2");
}

TEST(ImportMoments, WhatWasSaidMustBePossible) {
  const TempDir directory;
  ImportOptions options = moments_of(directory, -0.55f);  // sample 1 has positive ones only
  options.moments = Moments::kStd;
  EXPECT_ERROR(import_data(options), DataError, "m.npy: sample 0", "-0.39", "is negative",
               "--moments logvar");
  options = moments_of(directory, 0.5f);
  options.moments = Moments::kLogvar;
  EXPECT_ERROR(import_data(options), DataError, "no log variance", "0.66 to 0.81", "--moments std");
  write_npy(directory / "m.npy", "<f4", {2, 3, 2, 2}, std::vector<float>(24));
  EXPECT_ERROR(import_data(options), DataError, "even number of channels, there are 3");
}

// A set of another program, which holds log variances where the format wants deviations.
TEST(ImportMoments, NegativeDeviationsOfOtherProgramsAreRefused) {
  const TempDir directory;
  const auto write = [&](std::uint64_t bad) {
    h5::File file = h5::File::create(directory / "set.h5");
    std::vector<float> values(3 * 8 * 4, 0.5f);
    values[bad * 32 + 20] = -13;
    file.create_dataset("moments", h5::Type::kFloat32, {3, 8, 2, 2})
        .write(h5::Type::kFloat32, values.data());
    const std::vector<std::int32_t> classes(3);
    file.create_dataset("labels", h5::Type::kInt32, {3}).write(h5::Type::kInt32, classes.data());
    for (const char* name : {"format_version", "num_classes", "complete"}) {
      file.write_attribute(name, 1);
    }
    file.write_attribute("image_size", 16);
    file.write_attribute("scale", 1.0);
    file.close();
  };
  write(0);
  EXPECT_ERROR(Dataset(directory / "set.h5"), DataError, "set.h5: sample 0",
               "standard deviation -13 is negative", "--moments logvar");
  write(2);
  const Dataset dataset(directory / "set.h5");
  ReadScratch scratch;
  std::vector<float> out(16);
  const std::vector<SampleRef> good{{.index = 1}}, bad{{.index = 2}};
  EXPECT_NO_THROW(dataset.read(good, 0, scratch, out));
  EXPECT_ERROR(dataset.read(bad, 0, scratch, out), DataError, "set.h5: sample 2", "-13");
  ASSERT_EQ(verify(directory / "set.h5").problems.size(), 1u);
  EXPECT_THAT(verify(directory / "set.h5").problems[0], testing::HasSubstr("sample 2"));
}

TEST(ImportArray, BadInput) {
  const TempDir directory;
  write_npy(directory / "x.npy", "<f4", {4, 2, 3, 4}, rows(0, 4));
  write_npy(directory / "y.npy", "<i8", {3}, labels(0, 3));
  ImportOptions options = options_for(directory, ImportLayout::kArray);
  options.latents = directory / "x.npy";
  EXPECT_ERROR(import_data(options), UsageError, "x.npy: --labels is needed");
  options.labels = directory / "y.npy";
  EXPECT_ERROR(import_data(options), DataError, "y.npy", "[3]", "4 labels");
  write_npy(directory / "y.npy", "<i8", {4}, std::vector<std::int64_t>{0, 1, 1000, 2});
  EXPECT_ERROR(import_data(options), DataError, "y.npy", "label 1000 of sample 2");
  options.labels = directory / "x.npy";
  EXPECT_ERROR(import_data(options), DataError, "x.npy", "[4, 2, 3, 4]");
  options.latents = directory / "none.npz";
  options.labels.clear();
  EXPECT_ERROR(import_data(options), UsageError, "none.npz", "no such file");
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
  ImportOptions options = options_for(directory, ImportLayout::kFolders);
  options.latents = directory / "s";
  options.layout = ImportLayout::kAuto;
  import_data(options);
  expect_samples(directory / "out", 14, true);
}

TEST(ImportSafetensors, BadInput) {
  const TempDir directory;
  write_safetensors(directory / "s" / "a.safetensors", 0, 5, true);
  write_safetensors(directory / "s" / "b.safetensors", 5, 5, false);
  ImportOptions options = options_for(directory, ImportLayout::kFolders);
  options.latents = directory / "s";
  EXPECT_ERROR(import_data(options), DataError, "b.safetensors", "lacks a mirrored copy",
               "a.safetensors");
  options.latents_key = "z";
  EXPECT_ERROR(import_data(options), DataError, "a.safetensors", "there is no 'z' (--latents-key)",
               "latents [5, 2, 3, 4]", "latents_flip [5, 2, 3, 4]", "labels [5]");
  options.latents_key = "";
  fs::remove(directory / "s" / "a.safetensors");
  options.flipped_key = "mirrored";
  EXPECT_ERROR(import_data(options), DataError, "b.safetensors", "there is no 'mirrored'",
               "--flipped-key", "latents [5");
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

// The shards of an import with other options or of other inputs are not kept.
TEST(Import, ContinuesOnlyWhatItWouldWriteItself) {
  const TempDir directory;
  const ImportOptions options = array_of(directory, 20);
  fs::copy_file(directory / "x.npy", directory / "mirrored.npy");
  EXPECT_EQ(import_data(options).written, 3u);
  EXPECT_EQ(import_data(options).kept, 3u);
  const auto refused = [&](auto change, const char* before, const char* now) {
    ImportOptions changed = options;
    change(changed);
    EXPECT_ERROR(import_data(changed), DataError, "holds 3 shards", before, now, "--replace");
  };
  refused([](auto& o) { o.scaled = false; }, "--scaled was on", "now off");
  refused([](auto& o) { o.scale = 0.5; }, "--scale was 0.18215", "now 0.5");
  refused([](auto& o) { o.classes = 6; }, "--classes was 5", "now 6");
  refused([](auto& o) { o.moments = Moments::kStd; }, "--moments was off", "now std");
  refused([](auto& o) { o.statistics = true; }, "--statistics was off", "now on");
  refused([](auto& o) { o.type = h5::Type::kFloat32; }, "--dtype was float16", "now float32");
  refused([](auto& o) { o.samples_per_shard = 10; }, "samples-per-shard was 8", "now 10");
  refused([&](auto& o) { o.flipped_latents = directory / "mirrored.npy"; },
          "--flipped-latents was not given", "mirrored.npy");
  write_npy(directory / "z.npy", "<i8", {20}, labels(1, 20));
  refused([&](auto& o) { o.labels = directory / "z.npy"; }, "y.npy", "z.npy");
  expect_samples(directory / "out", 20, false);
}

TEST(Import, InputsThatWereOverwrittenAreNoticed) {
  const TempDir directory;
  ImportOptions options = array_of(directory, 20);
  import_data(options);
  const fs::path x = directory / "x.npy";
  const auto time = fs::last_write_time(x);
  fs::last_write_time(x, time + std::chrono::seconds(5));
  EXPECT_ERROR(import_data(options), DataError, "--latents: time of change was 20");
  write_npy(x, "<f4", {20, 2, 3, 4}, rows(1, 20));
  fs::last_write_time(x, time);  // as cp --preserve leaves it
  EXPECT_ERROR(import_data(options), DataError, "--latents: checksum was");
  options.replace = true;
  EXPECT_EQ(import_data(options).kept, 0u);
  const std::vector<float> first = stored(directory / "out", 0);
  EXPECT_EQ(first, values_of(1));
}

TEST(Import, FilesOfAFolderThatWereOverwrittenAreNoticed) {
  const TempDir directory;
  write_folders(directory, 12);
  const ImportOptions options = folder_options(directory);
  import_data(options);
  EXPECT_EQ(import_data(options).kept, 2u);
  const fs::path label = directory / "l" / "7.npy";
  const auto time = fs::last_write_time(label);
  write_npy(label, "<i8", {1}, labels(1, 1));
  fs::last_write_time(label, time);
  EXPECT_ERROR(import_data(options), DataError, "--labels: checksum was");
  write_npy(label, "<i8", {1}, labels(7, 1));
  write_npy(directory / "f" / "12.npy", "<f4", {2, 3, 4}, values_of(12));
  EXPECT_ERROR(import_data(options), DataError, "holds 13 files");
}

// Statistics are measured once: they come from the shards that are kept.
TEST(Import, StatisticsOfKeptShardsAreNotMeasuredAgain) {
  const TempDir directory;
  ImportOptions options = array_of(directory, 20);
  options.statistics = true;
  import_data(options);
  std::uint64_t calls = 0;
  EXPECT_EQ(import_data(options, [&](std::uint64_t, std::uint64_t) { ++calls; }).kept, 3u);
  EXPECT_EQ(calls, 0u);
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

// An extraction that writes into an array made beforehand, and is interrupted.
TEST(ImportArray, SamplesThatWereNeverWrittenAreRefused) {
  const TempDir directory;
  std::vector<float> values = rows(0, 9);
  std::fill(values.begin() + 7 * kElements, values.end(), 0.f);
  write_npy(directory / "x.npy", "<f4", {9, 2, 3, 4}, values);
  write_npy(directory / "y.npy", "<i8", {9}, labels(0, 9));
  ImportOptions options = options_for(directory, ImportLayout::kArray);
  options.latents = directory / "x.npy";
  options.labels = directory / "y.npy";
  EXPECT_ERROR(import_data(options), DataError, "x.npy: sample 7 is zero everywhere");
}

TEST(ImportArray, ValuesBeyondFloat16AreNamed) {
  const TempDir directory;
  ImportOptions options = options_for(directory, ImportLayout::kArray);
  options.latents = directory / "x.npy";
  options.labels = directory / "y.npy";
  write_npy(directory / "y.npy", "<i8", {9}, labels(0, 9));
  std::vector<float> values = rows(0, 9);
  values[5 * kElements + 3] = -65519;
  write_npy(directory / "x.npy", "<f4", {9, 2, 3, 4}, values);
  import_data(options);
  options.replace = true;
  values[5 * kElements + 3] = -65520;
  write_npy(directory / "x.npy", "<f4", {9, 2, 3, 4}, values);
  EXPECT_ERROR(import_data(options), DataError, "x.npy: sample 5: -65520", "--dtype float32");
  options.type = h5::Type::kFloat32;
  import_data(options);
}

TEST(ImportArray, LatentsThatDoNotLookScaledAreAskedFor) {
  const TempDir directory;
  ImportOptions options = options_for(directory, ImportLayout::kArray);
  options.latents = directory / "x.npy";
  options.labels = directory / "y.npy";
  options.scaled.reset();
  write_npy(directory / "x.npy", "<f4", {9, 2, 3, 4}, rows(0, 9));
  write_npy(directory / "y.npy", "<i8", {9}, labels(0, 9));
  EXPECT_ERROR(import_data(options), UsageError, "x.npy: the standard deviation",
               "multiplied by 0.18215? Say --scaled on or off");
  options.scaled = true;  // against what the values say
  testing::internal::CaptureStderr();
  import_data(options);
  log::flush();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("where about 1 is usual: is --scaled right?"));
  options.scaled.reset();
  options.scale = 1;
  options.replace = true;
  import_data(options);
}

// What files say beside their arrays, as others write it: before, it was passed over.
class ImportRemarks : public testing::Test {
 protected:
  ImportRemarks() : options_(options_for(directory_, ImportLayout::kArray)) {
    options_.latents = directory_ / "x.h5";
    options_.type = h5::Type::kFloat32;
    options_.replace = true;
    options_.classes = 0;
    for (std::size_t i = 0; i < 9 * kElements; ++i) {
      values_.push_back(static_cast<float>(i % 7) / 2 - 1.5f);
    }
  }

  template <class Edit>
  void write(Edit edit) {
    h5::File file = h5::File::create(directory_ / "x.h5");
    h5::DataSet set = file.create_dataset("latents", h5::Type::kFloat32, {9, 2, 3, 4});
    set.write(h5::Type::kFloat32, values_.data());
    file.create_dataset("labels", h5::Type::kInt64, {9})
        .write(h5::Type::kInt64, labels(0, 9).data());
    edit(file, set);
  }
  // The set as it becomes, and what was said.
  std::pair<Description, std::string> import() {
    testing::internal::CaptureStderr();
    import_data(options_);
    log::flush();
    const std::string said = testing::internal::GetCapturedStderr();
    return {Dataset(directory_ / "out").description(), said};
  }

  const TempDir directory_;
  ImportOptions options_;
  std::vector<float> values_;
};

TEST_F(ImportRemarks, AreTakenWhereNothingElseWasSaid) {
  for (const char* name : {"scale", "scaling_factor", "scale_factor", "vae_scaling_factor"}) {
    write([&](h5::File& file, h5::DataSet&) {
      const float as_stored = 0.13025f;
      file.write_attribute(name, static_cast<double>(as_stored));
      file.write_attribute("num_classes", 7);
    });
    const auto [set, said] = import();
    EXPECT_EQ(set.scale, 0.13025) << name;
    EXPECT_EQ(set.classes, 7);
    EXPECT_THAT(said, testing::HasSubstr(fmt::format("--scale is 0.13025, as {}@{} says",
                                                     options_.latents.string(), name)));
    EXPECT_THAT(said, testing::HasSubstr("--classes is 7, as "));
  }
}

TEST_F(ImportRemarks, OfTheArrayAndAsDataSetsCountToo) {
  write([&](h5::File& file, h5::DataSet& set) {
    set.write_attribute("scaling_factor", "0.5");
    const std::int64_t classes = 6;
    file.create_dataset("n_classes", h5::Type::kInt64, {}).write(h5::Type::kInt64, &classes);
  });
  const Description set = import().first;
  EXPECT_EQ(set.scale, 0.5);
  EXPECT_EQ(set.classes, 6);
}

TEST_F(ImportRemarks, AreToldWithBothValuesWhereOptionsDiffer) {
  write([&](h5::File& file, h5::DataSet&) {
    file.write_attribute("scaling_factor", 0.13025);
    file.write_attribute("num_classes", 7);
    file.write_attribute("shift_factor", 0.1159);
    file.write_attribute("vae_scale_factor", 16);
    file.write_attribute("resolution", 512);
    file.write_attribute("vae", "ema");
    const double mean[] = {1, 2};
    file.write_attribute("latents_mean", std::span(mean));
  });
  options_.scale = 0.25;
  options_.scale_is_given = true;
  options_.classes = 5;
  const auto [set, said] = import();
  EXPECT_EQ(set.scale, 0.25);
  EXPECT_EQ(set.classes, 5);
  for (const char* line :
       {"@scaling_factor is 0.13025, --scale is 0.25, which counts",
        "@num_classes is 7, --classes is 5, which counts",
        "@shift_factor is 0.1159, and the set will have a shift of 0",
        "@vae_scale_factor is 16, --vae-factor is 8, which counts",
        "@resolution is 512, and --vae-factor 8 times the height of the latents is 24",
        "also says latents_mean = 1 2, vae = ema: not taken"}) {
    EXPECT_THAT(said, testing::HasSubstr(line));
  }
}

TEST_F(ImportRemarks, ThatFitSayNothing) {
  write([&](h5::File& file, h5::DataSet&) {
    file.write_attribute("scaling_factor", static_cast<double>(0.18215f));
    file.write_attribute("num_classes", 5);
    file.write_attribute("shift", 0.0);
    file.write_attribute("vae_factor", 8);
    const std::int64_t sides[] = {24, 24};
    file.write_attribute("image_size", std::span(sides));
  });
  options_.classes = 5;
  EXPECT_EQ(import().second, "");
}

TEST_F(ImportRemarks, ThatMakeNoSenseAreNotTaken) {
  write([&](h5::File& file, h5::DataSet&) {
    file.write_attribute("scaling_factor", 0.0);
    file.write_attribute("num_classes", 2.5);
  });
  const auto [set, said] = import();
  EXPECT_EQ(set.scale, 0.18215);
  EXPECT_EQ(set.classes, 1000);
  EXPECT_THAT(said,
              testing::HasSubstr("@scaling_factor is 0, which is no scale: 0.18215 is taken"));
  EXPECT_THAT(said, testing::HasSubstr("@num_classes is 2.5, which is no number of classes"));
}

TEST_F(ImportRemarks, OfTwoThatDifferTheOtherIsTold) {
  write([&](h5::File& file, h5::DataSet&) {
    file.write_attribute("classes", 9);
    file.write_attribute("num_classes", 6);  // our own name
    file.write_attribute("scale_factor", 0.5);
    file.write_attribute("scaling_factor", 0.25);
  });
  const auto [set, said] = import();
  EXPECT_EQ(set.classes, 6);
  EXPECT_EQ(set.scale, 0.5);
  EXPECT_THAT(said, testing::HasSubstr("also says classes = 9, scaling_factor = 0.25: not taken"));
}

// The scale that was said is the one that values are held against.
TEST_F(ImportRemarks, AScaleThatWasTakenIsAskedAbout) {
  for (float& value : values_) value *= 20;
  write([&](h5::File& file, h5::DataSet&) { file.write_attribute("scaling_factor", 0.13025); });
  options_.scaled.reset();
  EXPECT_ERROR(import_data(options_), UsageError, "multiplied by 0.13025? Say --scaled on or off");
}

TEST_F(ImportRemarks, OfOtherFormats) {
  {
    SafetensorsWriter writer(
        directory_ / "x.safetensors",
        {{"latents", SafetensorsType::kF32, {9, 2, 3, 4}}, {"labels", SafetensorsType::kI64, {9}}},
        {{"format", "pt"}, {"scaling_factor", "0.25"}, {"vae", "ema"}});
    writer.append_values<float>(values_);
    writer.append_values<std::int64_t>(labels(0, 9));
    writer.finish();
  }
  options_.latents = directory_ / "x.safetensors";
  const auto [set, said] = import();
  EXPECT_EQ(set.scale, 0.25);
  EXPECT_THAT(said, testing::HasSubstr("x.safetensors also says vae = ema: not taken"));

  options_.latents = directory_ / "x.npz";
  const std::vector<double> scale{0.5};
  const std::vector<std::int64_t> classes{8};
  const std::vector<std::uint32_t> names{'a'};  // passed over: no numbers
  write_bytes(options_.latents,
              edt::test::stored_zip({{"latents.npy", npy_text("<f4", {9, 2, 3, 4}, values_)},
                                     {"labels.npy", npy_text("<i8", {9}, labels(0, 9))},
                                     {"scale.npy", npy_text("<f8", {}, scale)},
                                     {"num_classes.npy", npy_text("<i8", {1}, classes)},
                                     {"classes.npy", npy_text("<U1", {1}, names)}}));
  const Description of_npz = import().first;
  EXPECT_EQ(of_npz.scale, 0.5);
  EXPECT_EQ(of_npz.classes, 8);
}

// The last one was left out without a word.
TEST(ImportFolders, NamesInCapitalsCount) {
  const TempDir directory;
  write_folders(directory, 4);
  ImportOptions options = folder_options(directory);
  fs::rename(directory / "f/3.npy", directory / "f/3.NPY");
  EXPECT_ERROR(import_data(options), DataError, "holds .NPY and .npy files");
  for (const char* name : {"f/0", "f/1", "f/2", "l/0", "l/1", "l/2", "l/3"}) {
    fs::rename(directory / (name + std::string(".npy")), directory / (name + std::string(".NPY")));
  }
  import_data(options);
  expect_samples(directory / "out", 4, false);
  write_npy(directory / "f/2.NPY", "<f4", {2, 3, 4}, values_of(7));
  EXPECT_ERROR(import_data(options), DataError, "since then");
}

TEST(ImportFolders, NamesThatDifferInFormAlone) {
  const TempDir directory;
  write_folders(directory, 1);
  fs::rename(directory / "f/0.npy", directory / "f/caf\u00e9.npy");
  fs::rename(directory / "l/0.npy", directory / "l/cafe\u0301.npy");
  EXPECT_ERROR(import_data(folder_options(directory)), DataError, "do not pair",
               "in another form of Unicode");
}

// A set of shards into which somebody has copied one under another name.
TEST(ImportFolders, NoFileOfSamplesIsThereTwice) {
  const TempDir directory;
  write_npy(directory / "f/a.npy", "<f4", {9, 2, 3, 4}, rows(0, 9));
  write_npy(directory / "f/b.npy", "<f4", {9, 2, 3, 4}, rows(9, 9));
  ImportOptions options = options_for(directory, ImportLayout::kFolders);
  options.latents = directory / "f";
  options.labels = directory / "y.npy";
  write_npy(directory / "y.npy", "<i8", {18}, labels(0, 18));
  import_data(options);
  fs::copy(directory / "f/a.npy", directory / "f/a (1).npy");
  options.replace = true;
  EXPECT_ERROR(import_data(options), DataError, "a (1).npy", "hold the same bytes");
}

TEST(ImportClasses, FoldersOfSystemsAreNoneAndLinksNoOthers) {
  const TempDir directory;
  ImportOptions options = options_for(directory, ImportLayout::kClasses);
  options.latents = directory / "c";
  options.classes = 0;
  write_npy(directory / "c/cat/0.npy", "<f4", {2, 3, 4}, values_of(0));
  write_npy(directory / "c/dog/0.npy", "<f4", {2, 3, 4}, values_of(1));
  fs::create_directories(directory / "c/__MACOSX/cat");
  import_data(options);
  EXPECT_EQ(Dataset(directory / "out").description().classes, 2);
  fs::create_directory_symlink("dog", directory / "c/wolf");
  options.replace = true;
  EXPECT_ERROR(import_data(options), DataError, "dog and wolf are the same folder");
}

// The second case ended with a division by zero.
TEST(ImportArray, ArraysOfNoSamplesAreRefused) {
  const TempDir directory;
  ImportOptions options = options_for(directory, ImportLayout::kArray);
  options.latents = directory / "x.npy";
  options.labels = directory / "y.npy";
  write_npy(directory / "x.npy", "<f4", {0, 2, 3, 4}, std::vector<float>{});
  write_npy(directory / "y.npy", "<i8", {3}, labels(0, 3));
  EXPECT_ERROR(import_data(options), DataError, "x.npy: shape [0, 2, 3, 4]: there are no samples");
  write_npy(directory / "y.npy", "<i8", {0}, std::vector<std::int64_t>{});
  EXPECT_ERROR(import_data(options), DataError, "x.npy: shape [0, 2, 3, 4]: there are no samples");
}

}  // namespace
}  // namespace edt::data
