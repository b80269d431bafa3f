// Features that go beside latents: where they may lie, and what tells that they do not belong
// there.
#include "data/import/features.h"

#include <gmock/gmock.h>

#include <cmath>

#include "core/storage/safetensors.h"
#include "data/dataset.h"
#include "data/import/import.h"
#include "data/import/repack.h"
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

constexpr std::uint64_t kSamples = 6, kLatent = 2 * 3 * 4, kTokens = 4, kDims = 3,
                        kFeature = kTokens * kDims;

// Value e of sample i, exact in float16.
float feature_of(std::uint64_t i, std::uint64_t e, float sign = 1) {
  return sign * (static_cast<float>(i + 1) + static_cast<float>(e) / 16);
}

std::vector<float> features(std::uint64_t first, std::uint64_t count, float sign = 1) {
  std::vector<float> values;
  for (std::uint64_t i = first; i < first + count; ++i) {
    for (std::uint64_t e = 0; e < kFeature; ++e) values.push_back(feature_of(i, e, sign));
  }
  return values;
}

std::vector<float> latents(std::uint64_t first, std::uint64_t count) {
  std::vector<float> values;
  for (std::uint64_t i = first * kLatent; i < (first + count) * kLatent; ++i) {
    values.push_back(static_cast<float>(i % 97) / 64 - 0.5f);
  }
  return values;
}

std::vector<std::int64_t> label_values(std::uint64_t first, std::uint64_t count) {
  std::vector<std::int64_t> values;
  for (std::uint64_t i = first; i < first + count; ++i) {
    values.push_back(static_cast<std::int64_t>(i % 5));
  }
  return values;
}

class ImportFeatures : public testing::Test {
 protected:
  ImportFeatures() {
    write_npy(path("x.npy"), "<f4", {kSamples, 2, 3, 4}, latents(0, kSamples));
    write_npy(path("y.npy"), "<i8", {kSamples}, label_values(0, kSamples));
    options_.latents = path("x.npy");
    options_.labels = path("y.npy");
    options_.out = path("out");
    options_.classes = 5;
    options_.scaled = true;
    options_.samples_per_shard = 4;
  }

  fs::path path(const std::string& name) const { return directory_ / name; }
  std::string given(const std::string& name, const std::string& file) const {
    return name + "=" + path(file).string();
  }

  WriteReport import(std::vector<std::string> features, std::vector<std::string> flipped = {},
                     std::vector<std::string> keys = {}) {
    fs::remove_all(path("out"));
    options_.features.features = std::move(features);
    options_.features.flipped_features = std::move(flipped);
    options_.features.keys = std::move(keys);
    return import_data(options_);
  }
  void flip_latents() {
    write_npy(path("xf.npy"), "<f4", {kSamples, 2, 3, 4}, latents(7, kSamples));
    options_.flipped_latents = path("xf.npy");
  }

  void expect_features(const std::string& name, bool flipped = false, float sign = 1) const {
    const Dataset set(path("out"), {.arrays = {{name, {}}}});
    ASSERT_EQ(set.size(), kSamples);
    ReadScratch scratch;
    std::vector<float> values(kFeature);
    for (std::uint64_t i = 0; i < kSamples; ++i) {
      for (const bool mirrored : {false, true}) {
        if (mirrored && !flipped) break;
        const std::vector<SampleRef> refs{{i, 0, mirrored}};
        set.read_array(0, refs, scratch, values);
        EXPECT_EQ(values, features(i, 1, mirrored ? -sign : sign)) << i;
      }
    }
    EXPECT_THAT(verify(path("out")).problems, testing::IsEmpty());
  }

  const TempDir directory_;
  ImportOptions options_;
};

TEST_F(ImportFeatures, OfEachFormat) {
  const auto plain = features(0, kSamples), mirrored = features(0, kSamples, -1);
  flip_latents();
  write_npy(path("f.npy"), "<f4", {kSamples, kTokens, kDims}, plain);
  write_npy(path("g.npy"), "<f4", {kSamples, kTokens, kDims}, mirrored);
  import({given("a", "f.npy")}, {given("a", "g.npy")});
  expect_features("a", true);

  const h5::Shape shape{kSamples, kTokens, kDims};
  write_bytes(path("f.npz"),
              edt::test::stored_zip(
                  {{"features.npy", npy_text("<f4", shape, plain)},
                   {"features_flip.npy", npy_text("<f4", shape, mirrored)},
                   {"labels.npy", npy_text("<i8", {kSamples}, label_values(0, kSamples))}}));
  EXPECT_THAT(import({given("b", "f.npz")}).source,
              testing::HasSubstr("[6, 4, 3] float32, with mirrored copies, labels beside them"));
  expect_features("b", true);

  SafetensorsWriter writer(path("f.safetensors"), {{"c", SafetensorsType::kF32, shape},
                                                   {"c_flipped", SafetensorsType::kF32, shape}});
  writer.append_values(std::span<const float>(plain));
  writer.append_values(std::span<const float>(mirrored));
  writer.finish();
  import({given("c", "f.safetensors")});
  expect_features("c", true);

  {
    h5::File file = h5::File::create(path("f.h5"));
    file.create_dataset("deep/d", h5::Type::kFloat16, shape)
        .write(h5::Type::kFloat32, plain.data());
    file.create_dataset("deep/d_hflip", h5::Type::kFloat16, shape)
        .write(h5::Type::kFloat32, mirrored.data());
    file.close();
  }
  import({given("d", "f.h5"), given("e", "f.npy")}, {given("e", "g.npy")}, {"d=deep/d"});
  expect_features("d", true);
  expect_features("e", true);
}

TEST_F(ImportFeatures, FolderOfFilesInNaturalOrder) {
  for (std::uint64_t i = 0; i < 3; ++i) {  // two samples in each
    write_npy(path("f/part-" + std::to_string(i * 5) + ".npy"), "<f4", {2, kTokens, kDims},
              features(2 * i, 2));
  }
  EXPECT_THAT(import({given("a", "f")}).source,
              testing::HasSubstr("taken to be in the same order"));
  expect_features("a");
}

TEST_F(ImportFeatures, FileForEachSampleNamedAsTheLatents) {
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    const std::string name = "/pic" + std::to_string(i) + ".npy";
    write_npy(path("x" + name), "<f4", {2, 3, 4}, latents(i, 1));
    const bool alone = i % 2 == 0;
    write_npy(path("f" + name), "<f4",
              alone ? std::vector<std::uint64_t>{kTokens, kDims}
                    : std::vector<std::uint64_t>{1, kTokens, kDims},
              features(i, 1));
  }
  options_.latents = path("x");
  EXPECT_THAT(import({given("a", "f")}).source, testing::HasSubstr("files named as the latents"));
  expect_features("a");
  fs::rename(path("f/pic3.npy"), path("f/pic30.npy"));
  EXPECT_ERROR(import({given("a", "f")}), DataError, "pic3.npy");
}

TEST_F(ImportFeatures, NamedSamplesHaveToPair) {
  const auto write = [&](const std::string& name, const std::vector<std::string>& keys,
                         const h5::Shape& shape, const std::vector<float>& values) {
    h5::File file = h5::File::create(path(name));
    for (const std::string& key : keys) {
      file.create_dataset("all/" + key, h5::Type::kFloat32, shape)
          .write(h5::Type::kFloat32, values.data());
    }
    file.close();
  };
  const std::vector<std::string> keys{"p0", "p1", "p2", "p3", "p4", "p5"};
  write("x.h5", keys, {2, 3, 4}, latents(0, 1));
  write("f.h5", keys, {kTokens, kDims}, features(0, 1));
  options_.latents = path("x.h5");
  options_.latents_key = "all";
  EXPECT_THAT(import({given("a", "f.h5")}, {}, {"a=all"}).source,
              testing::HasSubstr("named samples"));
  write("g.h5", {"p0", "p1", "p2", "p4", "p5", "p6"}, {kTokens, kDims}, features(0, 1));
  EXPECT_ERROR(import({given("a", "g.h5")}, {}, {"a=all"}), DataError, "g.h5", "x.h5",
               "sample 3 is p4 and p3");
}

TEST_F(ImportFeatures, Types) {
  write_npy(path("f.npy"), "<f4", {kSamples, kTokens, kDims}, features(0, kSamples));
  options_.features.type = h5::Type::kFloat32;
  import({given("a", "f.npy")});
  expect_features("a");
  options_.features.type = h5::Type::kInt8;
  import({given("a", "f.npy")});
  const Dataset set(path("out"), {.arrays = {{"a", {}}}});
  EXPECT_EQ(set.description().arrays[0].type, h5::Type::kInt8);
  ReadScratch scratch;
  std::vector<float> values(kFeature);
  set.read_array(0, std::vector<SampleRef>{{2}}, scratch, values);
  for (std::uint64_t e = 0; e < kFeature; ++e) {
    EXPECT_NEAR(values[e], feature_of(2, e), feature_of(2, kFeature) / 254);
  }
}

TEST_F(ImportFeatures, WhatDoesNotBelongToTheLatents) {
  options_.samples_per_shard = 100;  // none is whole before the bad sample
  const auto write = [&](const h5::Shape& shape, std::uint64_t samples) {
    std::vector<float> values = features(0, samples);
    std::uint64_t n = 1;
    for (const std::uint64_t extent : shape) n *= extent;
    values.resize(n, 1.f);
    write_npy(path("f.npy"), "<f4", shape, values);
  };
  const auto refused = [&] { import({given("a", "f.npy")}); };
  write({kSamples + 1, kTokens, kDims}, kSamples + 1);
  EXPECT_ERROR(refused(), DataError, "f.npy: 7 samples", "x.npy has 6");
  write({kSamples}, 1);
  EXPECT_ERROR(refused(), DataError, "f.npy", "array a of []");
  write({kSamples, kTokens, kDims}, kSamples);
  flip_latents();
  EXPECT_ERROR(refused(), DataError, "f.npy: has no mirrored copies", "x.npy has",
               "--flipped-features a=PATH");
  write_npy(path("g.npy"), "<f4", {kSamples, kTokens, 2},
            std::vector<float>(kSamples * kTokens * 2, 1));
  EXPECT_ERROR(import({given("a", "f.npy")}, {given("a", "g.npy")}), DataError,
               "g.npy: shape [6, 4, 2]", "f.npy has [6, 4, 3]");
  options_.flipped_latents.clear();
  std::vector<float> values = features(0, kSamples);
  values[4 * kFeature + 1] = std::nanf("");
  write_npy(path("f.npy"), "<f4", {kSamples, kTokens, kDims}, values);
  EXPECT_ERROR(refused(), DataError, "f.npy: sample 4 contains NaN");
  values[4 * kFeature + 1] = -7e4f;
  write_npy(path("f.npy"), "<f4", {kSamples, kTokens, kDims}, values);
  EXPECT_ERROR(refused(), DataError, "f.npy: sample 4", "-70000", "--features-dtype float32");
  std::fill_n(values.begin() + 4 * kFeature, kFeature, 0.f);
  write_npy(path("f.npy"), "<f4", {kSamples, kTokens, kDims}, values);
  EXPECT_ERROR(refused(), DataError, "f.npy: sample 4 is zero everywhere");
  write_npy(path("f.npy"), "<i4", {kSamples, kTokens, kDims},
            std::vector<std::int32_t>(kSamples * kFeature, 3));
  EXPECT_ERROR(refused(), DataError, "f.npy", "int32");
  const auto text = npy_text("<f4", {kSamples, kTokens, kDims}, features(0, kSamples));
  write_bytes(path("f.npz"),
              edt::test::stored_zip(
                  {{"a.npy", text},
                   {"labels.npy", npy_text("<i8", {kSamples}, label_values(1, kSamples))}}));
  EXPECT_ERROR(import({given("a", "f.npz")}), DataError, "f.npz", "sample 0 has label 1",
               "latents have 0", "another order");
  EXPECT_ERROR(import({given("b", "f.npz")}), DataError, "no 'b' or 'features'", "--features-key",
               "a");
  for (std::uint64_t i = 0; i < 3; ++i) {
    const std::uint64_t dims = i == 2 ? 5 : kDims;
    write_npy(path("p/" + std::to_string(i) + ".npy"), "<f4", {2, kTokens, dims},
              std::vector<float>(2 * kTokens * dims, 1));
  }
  EXPECT_ERROR(import({given("a", "p")}), DataError, "2.npy", "[4, 5]", "[4, 3]");
  EXPECT_TRUE(!fs::exists(path("out")) || fs::is_empty(path("out")));
}

TEST_F(ImportFeatures, WhatIsNoNameAndValue) {
  write_npy(path("f.npy"), "<f4", {kSamples, kTokens, kDims}, features(0, kSamples));
  EXPECT_ERROR(import({"f.npy"}), UsageError, "--features is 'f.npy'", "NAME=VALUE");
  EXPECT_ERROR(import({given("a", "f.npy"), given("a", "f.npy")}), UsageError, "'a' stands twice");
  EXPECT_ERROR(import({given("a", "f.npy")}, {given("b", "f.npy")}), UsageError,
               "--flipped-features b", "has no 'b'");
  EXPECT_ERROR(import({given("a", "f.npy")}, {given("a", "f.npy")}), UsageError,
               "--flipped-features a", "the features themselves");
  EXPECT_ERROR(import({given("a", "f.npy")}, {}, {"b=c"}), UsageError, "--features-key b");
  EXPECT_ERROR(import({given("a", "none.npy")}), UsageError, "none.npy", "no such file");
  EXPECT_ERROR(import({given("a/b", "f.npy")}), DataError, "'a/b' is no name");
}

TEST_F(ImportFeatures, AreOfTheIdentityOfTheShards) {
  write_npy(path("f.npy"), "<f4", {kSamples, kTokens, kDims}, features(0, kSamples));
  import({given("a", "f.npy")});
  EXPECT_EQ(import_data(options_).kept, 2u);
  const auto again = [&] { import_data(options_); };
  options_.features.type = h5::Type::kInt8;
  EXPECT_ERROR(again(), DataError, "--features-dtype was float16, is now int8", "--replace");
  options_.features.type = h5::Type::kFloat16;
  write_npy(path("f.npy"), "<f4", {kSamples, kTokens, kDims}, features(1, kSamples));
  EXPECT_ERROR(again(), DataError, "--features a: ");
  options_.features = {};
  EXPECT_ERROR(again(), DataError, "--features a was");
}

TEST_F(ImportFeatures, RepackKeepsAndAddsThem) {
  write_npy(path("f.npy"), "<f4", {kSamples, kTokens, kDims}, features(0, kSamples));
  write_npy(path("g.npy"), "<f4", {kSamples, kTokens, kDims}, features(0, kSamples, -1));
  options_.features.type = h5::Type::kInt8;
  import({given("b", "f.npy")});
  fs::rename(path("out"), path("in"));
  RepackOptions options{.in = path("in"), .out = path("out"), .samples_per_shard = 5};
  options.features.features = {given("a", "f.npy"), given("c", "g.npy")};
  repack(options);
  expect_features("a");
  expect_features("c", false, -1);
  const auto stored = [&](const fs::path& set) {
    const Dataset dataset(set, {.arrays = {{"b", {}}}});
    std::vector<SampleRef> refs;
    for (std::uint64_t i = 0; i < kSamples; ++i) refs.push_back({i});
    std::vector<float> values(kSamples * kFeature);
    ReadScratch scratch;
    dataset.read_array(0, refs, scratch, values);
    return values;
  };
  EXPECT_EQ(stored(path("out")), stored(path("in")));
  fs::remove_all(path("out"));
  options.features.features = {given("b", "g.npy")};
  EXPECT_ERROR(repack(options), UsageError, "has an array 'b' already");
}

}  // namespace
}  // namespace edt::data
