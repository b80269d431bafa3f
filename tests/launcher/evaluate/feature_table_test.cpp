// Features of other networks, in files of any format.
#include "launcher/evaluate/feature_table.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/base/error.h"
#include "core/storage/hdf5.h"
#include "core/storage/safetensors.h"
#include "launcher/evaluate/quality.h"
#include "launcher/evaluate/quality_report.h"
#include "tests/core/storage/stored_zip.h"
#include "tests/data/import/npy_files.h"
#include "tests/golden/golden_file.h"
#include "tests/support/message_of.h"
#include "tests/support/places.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt::test {
namespace {

using data::test::write_npy;
using testing::HasSubstr;

class Features : public testing::Test {
 protected:
  FeatureSet read(const std::string& name, const FeatureTable& table = {}) const {
    return read_feature_table(folder_ / name, table);
  }
  std::string refusal(const std::string& name, const FeatureTable& table = {}) const {
    return message_of<DataError>([&] { (void)read(name, table); });
  }
  void npy(const std::string& name, std::vector<std::uint64_t> shape,
           const std::vector<float>& values) const {
    write_npy(folder_ / name, "<f4", shape, values);
  }

  TempDir folder_;
  const std::vector<float> values_{1, 2, 4, 3, 6, 8, 5, 0, 1};  // three rows of three
};

TEST_F(Features, AreReadFromAnyFormat) {
  npy("a.npy", {3, 3}, values_);
  {
    h5::File file = h5::File::create(folder_ / "a.h5");
    file.create_dataset("embeddings", h5::Type::kFloat64, {3, 3})
        .write(h5::Type::kFloat32, values_.data());
    file.close();
  }
  SafetensorsWriter writer(
      folder_ / "a.safetensors",
      {{.name = "features", .type = SafetensorsType::kF32, .shape = {3, 3}, .bytes = 36}});
  writer.append_values(std::span<const float>(values_));
  writer.finish();
  for (const char* name : {"a.npy", "a.h5", "a.safetensors"}) {
    ASSERT_TRUE(is_feature_table(folder_ / name)) << name;
    const FeatureSet set = read(name);
    EXPECT_EQ(set.kind(), FeatureKind::kTable);
    EXPECT_EQ(set.features, values_) << name;
    EXPECT_EQ(set.pooled.count, 3);
    EXPECT_EQ(set.pooled.mean[1], (2 + 6 + 0) / 3.0) << name;
  }
  const FeatureSet some = read("a.npy", {.count = 2, .kept = 1});
  EXPECT_EQ(some.pooled.mean[0], 2);
  EXPECT_EQ(some.features, (std::vector<float>{1, 2, 4}));
  EXPECT_FALSE(is_feature_table(in_sources("tests/golden/evaluation/reference_adm.npz")));
  const std::string array = data::test::npy_text("<f4", {3, 3}, values_);
  write_text(folder_ / "a.npz", stored_zip({{"features.npy", array}, {"labels.npy", array}}));
  EXPECT_TRUE(is_feature_table(folder_ / "a.npz"));
  EXPECT_EQ(read("a.npz").features, values_);
  write_text(folder_ / "b.npz", stored_zip({{"arr_0.npy", array}}));
  EXPECT_FALSE(is_feature_table(folder_ / "b.npz")) << "as evaluators pass pictures round";
  EXPECT_EQ(read("b.npz", {.key = "arr_0"}).features, values_);
  EXPECT_FALSE(is_feature_table(folder_.path()));
  {
    h5::File file = h5::File::create(folder_ / "ours.h5");
    file.write_attribute("format", "edt features 1");
    file.close();
  }
  EXPECT_FALSE(is_feature_table(folder_ / "ours.h5"));
}

TEST_F(Features, ThatAreNoneAreNamed) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  npy("nan.npy", {3, 2}, {1, 2, 3, 4, 5, kNan});
  EXPECT_THAT(refusal("nan.npy"), HasSubstr("nan.npy: row 2 is not finite"));
  npy("gap.npy", {3, 2}, {1, 2, 0, 0, 5, 6});
  EXPECT_THAT(refusal("gap.npy"), HasSubstr("row 1 is zero everywhere: it was never written"));
  npy("one.npy", {1, 3}, {1, 2, 3});
  EXPECT_THAT(refusal("one.npy"), HasSubstr("1 row of pictures, a covariance takes 2 or more"));
  npy("flat.npy", {6}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(refusal("flat.npy"), HasSubstr("is float32 [6], features are [pictures, width]"));
  npy("wide.npy", {2, 8193}, std::vector<float>(2 * 8193, 1));
  EXPECT_THAT(refusal("wide.npy"), HasSubstr("8193 features of each picture, at most 8192"));
  write_npy(folder_ / "bytes.npy", "|u1", {3, 3}, std::vector<std::uint8_t>(9, 1));
  EXPECT_THAT(refusal("bytes.npy"), HasSubstr("holds uint8, floating point is needed"));
  {
    h5::File file = h5::File::create(folder_ / "latents.h5");
    file.create_dataset("latents", h5::Type::kFloat32, {3, 3})
        .write(h5::Type::kFloat32, values_.data());
    file.close();
  }
  EXPECT_THAT(refusal("latents.h5"),
              HasSubstr("there is no 'features' or 'embeddings' (--features-key)"));
  EXPECT_EQ(read("latents.h5", {.key = "latents"}).features, values_);
}

// The published value of CMMD, and the exact Frechet distance, from files.
TEST_F(Features, GiveThePublishedDistances) {
  const GoldenFile golden(in_sources("tests/golden/evaluation/fid_tables.h5"));
  const auto offset = static_cast<float>(golden.number("cmmd", "offset"));
  for (const std::string side : {"a", "b"}) {
    const std::string name = "fid/full_rank/" + side + "_u8";
    auto values = golden.read<float>(name);
    for (float& v : values) v = v / 64 - offset;
    const auto shape = golden.shape(name);
    npy(side + ".npy", {static_cast<std::uint64_t>(shape[0]), static_cast<std::uint64_t>(shape[1])},
        values);
  }
  const FeatureSet samples = read("b.npy");
  FeatureSet reference = read("a.npy");
  require_comparable(reference, samples);
  const QualityJudge judge(reference, {.kernel_subsets = 2, .kernel_size = 100});
  const Quality quality = judge.judge(samples);
  EXPECT_EQ(quality.kind, FeatureKind::kTable);
  EXPECT_NEAR(quality.gaussian.value(), golden.number("cmmd", "value"), 1e-6);
  const double exact = golden.number("fid/full_rank", "exact");
  EXPECT_NEAR(quality.distance.value(), exact, 1e-5 * exact);  // the offset is taken in float32
  EXPECT_FALSE(quality.score || quality.spatial);
  EXPECT_TRUE(quality.shares && quality.density && quality.kernel);
  const QualityOptions options;
  const QualityOrigin origin{judge.reference(), samples, options};
  EXPECT_THAT(quality_text(quality, origin),
              testing::AllOf(HasSubstr("Frechet distance"), HasSubstr("CMMD"),
                             HasSubstr("sigma 10"), testing::Not(HasSubstr("FID  ")),
                             HasSubstr("which network these features are of is not known here")));
  const std::string json = quality_json(quality, origin);
  EXPECT_THAT(json, testing::AllOf(HasSubstr("\"cmmd\""), testing::Not(HasSubstr("\"fid\""))));

  npy("narrow.npy", {3, 3}, values_);
  EXPECT_THAT(message_of<DataError>([&] { require_comparable(reference, read("narrow.npy")); }),
              testing::AllOf(HasSubstr("a.npy has 64 features"), HasSubstr("narrow.npy has 3")));
  EXPECT_THAT(
      message_of<DataError>([&] { require_comparable(reference, 1, InceptionResize::kAdm); }),
      HasSubstr("a.npy has features of a network that is not known, the samples would have "
                "Inception's features"));
}

}  // namespace
}  // namespace edt::test
