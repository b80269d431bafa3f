// Files of statistics: those that evaluators pass round, and our own.
#include "launcher/evaluate/feature_set.h"

#include <fmt/ranges.h>
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "core/base/error.h"
#include "core/storage/hdf5.h"
#include "core/storage/npy.h"
#include "launcher/evaluate/quality.h"
#include "tests/core/storage/stored_zip.h"
#include "tests/data/import/npy_files.h"
#include "tests/golden/golden_file.h"
#include "tests/support/message_of.h"
#include "tests/support/places.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

fs::path golden(const std::string& name) { return in_sources("tests/golden/evaluation/" + name); }

TEST(FeatureSet, IsReadFromAdmsAndPytorchFidsFiles) {
  const GoldenFile tables(golden("fid_tables.h5"));
  const auto mean = tables.read<double>("fid/full_rank/mu_a");
  const auto covariance = tables.read<double>("fid/full_rank/sigma_a");
  const FeatureSet fid = read_feature_set(golden("reference_pytorch_fid.npz"));
  EXPECT_EQ(fid.pooled.mean, mean);
  EXPECT_EQ(fid.pooled.covariance, covariance);
  EXPECT_EQ(fid.pooled.count, 0);  // the file does not say
  EXPECT_FALSE(fid.spatial || fid.network || fid.resize || fid.has_pictures);
  const FeatureSet adm = read_feature_set(golden("reference_adm.npz"));
  ASSERT_EQ(adm.pooled.mean.size(), mean.size());
  for (std::size_t i = 0; i < mean.size(); ++i) {
    EXPECT_EQ(adm.pooled.mean[i], static_cast<double>(static_cast<float>(mean[i])));
  }
  EXPECT_EQ(adm.pooled.covariance, covariance);
  EXPECT_EQ(adm.spatial.value().width(), 48);
  EXPECT_TRUE(adm.has_pictures);
  EXPECT_TRUE(is_feature_set(golden("reference_adm.npz")));
}

TEST(FeatureSet, OfWholeNumbersIsNone) {
  const TempDir folder;
  const std::vector<std::int64_t> mean{1, 2}, covariance{1, 0, 0, 1};
  write_text(folder / "a.npz",
             stored_zip({{"mu.npy", data::test::npy_text("<i8", {2}, mean)},
                         {"sigma.npy", data::test::npy_text("<i8", {2, 2}, covariance)}}));
  EXPECT_THAT(message_of<DataError>([&] { (void)read_feature_set(folder / "a.npz"); }),
              HasSubstr("a.npz:mu is int64 [2], expected floating-point numbers [features]"));
}

FeatureSet small_set(std::int64_t pooled = InceptionFeatures::kPooled,
                     std::int64_t spatial = InceptionFeatures::kSpatial) {
  FeatureSet set{.source = "some", .network = 0x1234, .resize = InceptionResize::kClean};
  const auto statistics = [](std::int64_t width) {
    FeatureStatistics made{.count = 5};
    for (std::int64_t i = 0; i < width; ++i) made.mean.push_back(0.1 * static_cast<double>(i));
    for (std::int64_t i = 0; i < width * width; ++i) {
      const std::int64_t row = i / width, column = i % width;
      made.covariance.push_back(1.0 / static_cast<double>(1 + row + column));
    }
    return made;
  };
  set.pooled = statistics(pooled);
  set.spatial = statistics(spatial);
  for (int i = 0; i < 2 * pooled; ++i) {
    set.features.push_back(static_cast<float>(i) / 3);
  }
  return set;
}

TEST(FeatureSet, ComesBackFromItsFile) {
  const TempDir folder;
  const FeatureSet set = small_set();
  write_feature_set(set, folder / "set.h5");
  ASSERT_TRUE(is_feature_set(folder / "set.h5"));
  const FeatureSet read = read_feature_set(folder / "set.h5");
  EXPECT_EQ(read.network, set.network);
  EXPECT_EQ(read.resize, set.resize);
  EXPECT_EQ(read.pooled.count, 5);
  EXPECT_EQ(read.pooled.mean, set.pooled.mean);
  EXPECT_EQ(read.pooled.covariance, set.pooled.covariance);
  EXPECT_EQ(read.spatial.value().covariance, set.spatial.value().covariance);
  EXPECT_EQ(read.features, set.features);
  fs::copy_file(folder / "set.h5", folder / "set");
  EXPECT_TRUE(is_feature_set(folder / "set")) << "whatever its name";
  EXPECT_FALSE(is_feature_set(folder.path()));
}

TEST(FeatureSet, OfAnotherShapeOrFormatIsRefused) {
  const TempDir folder;
  FeatureSet set = small_set();
  set.pooled.mean.pop_back();
  set.pooled.covariance.resize(set.pooled.mean.size() * set.pooled.mean.size());
  write_feature_set(set, folder / "short.h5");
  EXPECT_THAT(message_of<DataError>([&] { (void)read_feature_set(folder / "short.h5"); }),
              HasSubstr("pooled_mean is [2047], expected [2048]"));
  {
    h5::File file = h5::File::create(folder / "other.h5");
    file.write_attribute("format", "something");
    file.close();
  }
  EXPECT_THAT(message_of<DataError>([&] { (void)read_feature_set(folder / "other.h5"); }),
              HasSubstr("the format is 'something', not 'edt features 1'"));
}

// Figures would come out of it all the same.
TEST(FeatureSet, WhatIsNoCovarianceIsRefused) {
  const TempDir folder;
  const auto refusal = [&](const std::function<void(FeatureSet&)>& change) {
    FeatureSet set = small_set();
    change(set);
    write_feature_set(set, folder / "set.h5");
    return message_of<DataError>([&] { (void)read_feature_set(folder / "set.h5"); });
  };
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(refusal([](FeatureSet&) {}), "");
  EXPECT_THAT(refusal([](FeatureSet& set) { set.pooled.covariance[1] = 0.4; }),
              HasSubstr("pooled_covariance: is no covariance: [1, 0] is 0.5, [0, 1] is 0.4"));
  EXPECT_THAT(refusal([](FeatureSet& set) { set.spatial->covariance[0] = -1; }),
              HasSubstr("spatial_covariance: is no covariance: variance 0 is -1"));
  EXPECT_THAT(refusal([](FeatureSet& set) { set.pooled.mean[3] = kNan; }),
              HasSubstr("pooled_mean: contains NaN"));
  EXPECT_THAT(refusal([](FeatureSet& set) { set.pooled.covariance[3] = kNan; }),
              HasSubstr("pooled_covariance: contains NaN"));
  EXPECT_THAT(refusal([](FeatureSet& set) { set.features[7] = static_cast<float>(kNan); }),
              HasSubstr("features: contains NaN"));
  EXPECT_THAT(refusal([](FeatureSet& set) { set.pooled.count = 1; }),
              HasSubstr("statistics of 1 pictures"));
}

FeatureSet latent_set() {
  FeatureSet set{.source = "latents", .network = {}, .resize = {}};
  LatentSpace space{.scale = 0.5, .mean = {0, 1}, .std = {1, 2}};
  set.latents = LatentFeatures::of({.channels = 2, .height = 4, .width = 6}, space);
  set.pooled.count = 9;
  set.pooled.mean.assign(48, 0.25);
  set.pooled.covariance.assign(48 * 48, 0.5);
  set.features.assign(3 * 48, 1.5F);
  return set;
}

// A line names the file and what is wrong in it.
TEST(FeatureSet, LinesNameTheFile) {
  const TempDir folder;
  const auto refusal = [&](const std::string& format, const auto& change) {
    h5::File file = h5::File::create(folder / "changed.h5");
    file.write_attribute("format", format);
    change(file);
    file.close();
    return message_of<DataError>([&] { (void)read_feature_set(folder / "changed.h5"); });
  };
  EXPECT_THAT(refusal("edt features 1",
                      [](h5::File& file) { file.write_attribute("inception_checksum", "12"); }),
              HasSubstr("changed.h5: inception_checksum is '12', must be 16 hexadecimal digits"));
  EXPECT_THAT(refusal("edt latent features 1",
                      [](h5::File& file) {
                        for (const char* name : {"channels", "height", "width"})
                          file.write_attribute(name, std::int64_t{4});
                        file.write_attribute("square", std::int64_t{0});
                        file.write_attribute("latents", LatentSpace{}.to_text());
                      }),
              HasSubstr("changed.h5: 4 channels of 4 x 4 latents in squares of 0: each is 1"));
  // A mean over one axis was forgotten.
  NpzWriter npz(folder / "mu.npz", "mu", {3, 4});
  npz.append(std::vector<std::uint8_t>(12));
  npz.finish();
  EXPECT_THAT(message_of<DataError>([&] { (void)read_feature_set(folder / "mu.npz"); }),
              HasSubstr("mu.npz:mu is uint8 [3, 4], expected floating-point numbers [features]"));
}

TEST(FeatureSet, OfLatentsComesBackFromItsFile) {
  const TempDir folder;
  const FeatureSet set = latent_set();
  write_feature_set(set, folder / "set.h5");
  const FeatureSet read = read_feature_set(folder / "set.h5");
  ASSERT_TRUE(read.latents.has_value());
  EXPECT_EQ(read.latents->width, 6);
  EXPECT_EQ(read.latents->space.scale, 0.5);
  EXPECT_EQ(read.latents->space.std, (std::vector<double>{1, 2}));
  EXPECT_FALSE(read.network || read.resize || read.spatial);
  EXPECT_EQ(read.pooled.covariance, set.pooled.covariance);
  EXPECT_EQ(read.kept().count(), 3);
  EXPECT_EQ(read.kept().width, 48);
  require_comparable(read, *set.latents);
  EXPECT_THAT(
      message_of<DataError>([&] { require_comparable(read, 0x1234, InceptionResize::kClean); }),
      HasSubstr("has features of latents, the samples would have Inception's"));
  LatentSpace other = set.latents->space;
  other.scale = 0.25;
  const auto shape = LatentShape{.channels = 2, .height = 4, .width = 6};
  EXPECT_THAT(
      message_of<DataError>([&] { require_comparable(read, LatentFeatures::of(shape, other)); }),
      HasSubstr("latents of scale 0.5, the model was trained on those of scale 0.25"));
  EXPECT_THAT(message_of<DataError>([&] { require_comparable(small_set(6, 4), *set.latents); }),
              HasSubstr("--inception judges their pictures"));
  LatentFeatures coarse = *set.latents;
  coarse.square = 2;
  EXPECT_THAT(
      message_of<DataError>([&] { require_comparable(read, coarse); }),
      HasSubstr("has 48 latents of 2 x 4 x 6, the samples have 12 means over 2 x 2 latents"));
  // Names of classes are of no account.
  LatentSpace named = set.latents->space;
  named.class_names = {"a", "b"};
  require_comparable(read, LatentFeatures::of(shape, named));
  EXPECT_TRUE(LatentFeatures::of(shape, named).space.class_names.empty());
  FeatureSet vast = latent_set();
  vast.latents->height = 64;
  vast.latents->width = 17;
  write_feature_set(vast, folder / "vast.h5");
  EXPECT_THAT(message_of<DataError>([&] { (void)read_feature_set(folder / "vast.h5"); }),
              HasSubstr("2176 features of a latent, 1 to 2048 are expected"));
}

// Features of other weights, or of pictures that were scaled in another way, are others.
TEST(FeatureSet, IsComparedWithItsLikeAlone) {
  const FeatureSet set = small_set();
  const auto refusal = [&](std::uint64_t network, InceptionResize resize) {
    return message_of<DataError>([&] { require_comparable(set, network, resize); });
  };
  EXPECT_EQ(refusal(0x1234, InceptionResize::kClean), "");
  EXPECT_THAT(refusal(0x1235, InceptionResize::kClean),
              HasSubstr("some was made by Inception weights 0000000000001234, these are "
                        "0000000000001235"));
  EXPECT_THAT(refusal(0x1234, InceptionResize::kAdm),
              HasSubstr("some was resized as clean, the samples would be as adm"));
  FeatureSet narrow = small_set();
  narrow.spatial->mean.pop_back();
  EXPECT_THAT(
      message_of<DataError>([&] { require_comparable(narrow, 0x1234, InceptionResize::kClean); }),
      HasSubstr("some has statistics of 2022 features, Inception gives 2023"));
  // Files of statistics alone do not say it.
  FeatureSet silent = small_set();
  silent.network.reset();
  silent.resize.reset();
  EXPECT_EQ(
      message_of<DataError>([&] { require_comparable(silent, 7, InceptionResize::kPytorchFid); }),
      "");
}

// What stands beside figures: how they differ from published ones, and what is not there.
TEST(Quality, SaysWhatItsFiguresAreOf) {
  FeatureSet reference = small_set(6, 4);
  const FeatureSet samples = small_set(6, 4);
  const auto notes = [&](QualityOptions options = {}) {
    const std::vector<float> logits(2 * InceptionFeatures::kClasses, 0.5F);
    const Quality quality =
        QualityJudge(reference, options).judge(samples, {logits, InceptionFeatures::kClasses});
    return fmt::format("{}", fmt::join(quality.notes, "\n"));
  };
  // Two rows are kept: neighbours cannot be had.
  EXPECT_THAT(notes(), testing::AllOf(
                           HasSubstr("no precision, recall, density and coverage: 2 pictures have "
                                     "no 5 neighbours"),
                           HasSubstr("no KID: subsets of 1000 of 2"),
                           HasSubstr("5 samples: published figures take 50000"),
                           HasSubstr("resized as clean: ADM's and DiT's figures are not"),
                           HasSubstr("5 samples of 6 features"),
                           HasSubstr("5 of reference, of 6 features")));
  reference.spatial.reset();
  reference.features.clear();
  reference.network.reset();
  reference.pooled.count = 0;
  EXPECT_THAT(notes(),
              testing::AllOf(HasSubstr("no sFID: the reference holds no statistics of spatial"),
                             HasSubstr("KID: the reference holds statistics alone"),
                             HasSubstr("some does not say which Inception weights made it"),
                             testing::Not(HasSubstr("of reference, of 6 features"))));
}

// Means over squares, few enough for a covariance.
TEST(LatentFeatures, AreMeansOverTheSmallestSquares) {
  const auto of = [](std::int64_t channels, std::int64_t side) {
    return LatentFeatures::of({.channels = channels, .height = side, .width = side}, {});
  };
  EXPECT_EQ(of(4, 16).square, 1);
  EXPECT_EQ(of(8, 16).square, 1);  // 2048
  EXPECT_EQ(of(4, 32).square, 2);
  EXPECT_EQ(of(4, 32).count(), 1024);
  EXPECT_EQ(of(16, 64).square, 8);
  EXPECT_EQ(of(4, 32).text(), "1024 means over 2 x 2 latents");
  EXPECT_THAT(message_of<UsageError>([&] { of(4, 27); }),
              HasSubstr("latents of 4 x 27 x 27 have more than 2048 numbers"));
  LatentFeatures small{.channels = 2, .height = 2, .width = 4, .square = 2, .space = {}};
  std::vector<float> values;
  const std::vector<float> latents{1, 2, 5, 6, 3, 4, 7, 8, 0, 0, 1, 1, 0, 4, 1, 1};
  small.append(latents, values);
  EXPECT_EQ(values, (std::vector<float>{2.5, 6.5, 1, 1}));
}

// More pictures than are kept, in calls of several sizes.
TEST(FeatureCollector, KeepsTheFirstFeaturesAndAllStatistics) {
  InceptionFeatures some;
  const auto add_row = [&](float value) {
    some.pooled.resize(some.pooled.size() + InceptionFeatures::kPooled, value);
    some.spatial.resize(some.spatial.size() + InceptionFeatures::kSpatial, 2 * value);
    some.logits.resize(some.logits.size() + InceptionFeatures::kClasses, value);
  };
  FeatureCollector collector(3);
  for (const int rows : {2, 2, 3}) {
    some = {};
    for (int i = 0; i < rows; ++i) add_row(static_cast<float>(collector.count() + i));
    collector.add(some);
  }
  EXPECT_EQ(collector.count(), 7);
  EXPECT_EQ(collector.logits().size(), std::size_t{7 * InceptionFeatures::kClasses});
  const FeatureSet set = collector.finish("some", 7, InceptionResize::kAdm);
  ASSERT_EQ(set.kept().count(), 3);
  EXPECT_EQ(set.kept().row(2)[5], 2.0F);
  EXPECT_EQ(set.pooled.count, 7);
  EXPECT_DOUBLE_EQ(set.pooled.mean[9], 3);
  EXPECT_DOUBLE_EQ(set.spatial.value().mean[9], 6);
}

}  // namespace
}  // namespace edt::test
