// FID's Inception network, its resizing and its features, against the published network computed in
// float64 on weights made by a rule (splitmix64 over tensor names, below).
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/cpu/cpu_backend.h"
#include "core/cuda/cuda_backend.h"
#include "core/storage/safetensors.h"
#include "model/evaluation/inception.h"
#include "tests/golden/evaluation/ruled_inception.h"
#include "tests/golden/golden_file.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"

namespace edt::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Two honest float32 implementations: PyTorch's is off by 2e-7 to 7e-7 of the norm (attributes of
// the file); other orders of sums and norms folded into weights make a few of these.
constexpr double kFloat32 = 3e-6;

fs::path inception_file() {
  const fs::path inner = golden_dir() / "evaluation" / "inception.h5";
  return fs::exists(inner) ? inner : golden_dir() / "inception.h5";
}

// "adm256" -> the way of resizing, and the side of the pictures.
InceptionResize resize_of(const std::string& name) {
  for (const InceptionResize resize :
       {InceptionResize::kAdm, InceptionResize::kPytorchFid, InceptionResize::kClean}) {
    std::string known(name_of(resize));
    std::ranges::replace(known, '-', '_');
    if (name.starts_with(known)) return resize;
  }
  throw std::runtime_error("no way of resizing: " + name);
}

Image picture(const std::vector<std::int64_t>& values, const std::vector<std::int64_t>& shape,
              std::int64_t index) {
  const std::size_t rank = shape.size();
  Image image(static_cast<int>(shape[rank - 2]), static_cast<int>(shape[rank - 3]));
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>(
        values[static_cast<std::size_t>(index) * image.pixels.size() + i]);
  }
  return image;
}

TEST(InceptionInput, IsThatOfThePublishedEvaluators) {
  const GoldenFile golden(inception_file());
  const auto rows = golden.read<std::int64_t>("resize/rows");
  for (const std::string& size : golden.names("resize")) {
    if (size == "rows") continue;
    const std::string at = "resize/" + size;
    const Image image =
        picture(golden.read<std::int64_t>(at + "/picture"), golden.shape(at + "/picture"), 0);
    for (const char* mode : {"adm", "pytorch_fid", "clean"}) {
      std::vector<float> all(std::size_t{kInceptionSide} * kInceptionSide * 3), some;
      inception_input(image, resize_of(mode), all);
      for (int c = 0; c < 3; ++c) {
        for (const std::int64_t row : rows) {
          for (int x = 0; x < kInceptionSide; ++x) {
            some.push_back(all[static_cast<std::size_t>((row * kInceptionSide + x) * 3 + c)]);
          }
        }
      }
      const auto expected = golden.read<float>(at + "/" + mode + "_normalized");
      ASSERT_EQ(some.size(), expected.size());
      float largest = 0;
      for (std::size_t i = 0; i < some.size(); ++i) {
        largest = std::max(largest, std::abs(some[i] - expected[i]));
      }
      // One unit in the last place of a sum of four products near 2; of places near 299 their
      // shares know 3e-5 / 2.
      EXPECT_LE(largest, 4e-6) << at << " " << mode;
    }
  }
}

// The tensors of the first layers, of which one is changed.
std::string refusal(const std::string& which, const std::vector<std::uint64_t>& shape,
                    float value) {
  const TempDir folder;
  std::vector<SafetensorsEntry> entries;
  const std::string changed = "Conv2d_2a_3x3." + which;
  for (const char* layer : {"Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"}) {
    for (const std::string name :
         {"conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"}) {
      SafetensorsEntry entry{
          .name = layer + ("." + name), .type = SafetensorsType::kF32, .shape = {4}};
      if (name == "conv.weight") entry.shape = {4, 3, 3, 3};
      if (entry.name == changed) entry.shape = shape;
      entry.bytes = sizeof(float);
      for (const std::uint64_t side : entry.shape) entry.bytes *= side;
      entries.push_back(entry);
    }
  }
  SafetensorsWriter writer(folder / "i.safetensors", entries);
  for (const SafetensorsEntry& entry : entries) {
    const bool is_it = entry.name == changed;
    writer.append_values(
        std::span<const float>(std::vector<float>(entry.bytes / sizeof(float), is_it ? value : 1)));
  }
  writer.finish();
  const auto backend = make_cpu_backend();
  return message_of<DataError>([&] { Inception(folder / "i.safetensors", *backend); });
}

// A transposed kernel would be another network, with other figures.
TEST(InceptionWeights, ThatAreNoneAreRefused) {
  EXPECT_THAT(refusal("conv.weight", {4, 3, 3, 3}, 1), HasSubstr("is missing"))
      << "these layers are accepted";
  EXPECT_THAT(refusal("conv.weight", {4, 3, 1, 3}, 1),
              HasSubstr("Conv2d_2a_3x3.conv.weight is [4, 3, 1, 3], expected [outputs, inputs, 3, "
                        "3]"));
  EXPECT_THAT(refusal("conv.weight", {3, 3, 3, 32}, 1), HasSubstr("is [3, 3, 3, 32]"));
  EXPECT_THAT(refusal("conv.weight", {4, 27}, 1), HasSubstr("is [4, 27]"));
  EXPECT_THAT(refusal("bn.weight", {3}, 1),
              HasSubstr("Conv2d_2a_3x3.bn.weight is [3], expected [4]"));
  EXPECT_THAT(refusal("bn.running_var", {4}, -2), HasSubstr("bn.running_var holds -2"));
  EXPECT_THAT(refusal("bn.bias", {4}, NAN), HasSubstr("bn.bias holds a value that is not finite"));
}

class InceptionNetwork : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "cuda" && cuda_device_count() == 0) GTEST_SKIP() << "no GPU";
    backend_ = GetParam() == "cuda" ? make_cuda_backend() : make_cpu_backend();
  }
  TempDir folder_;
  std::unique_ptr<Backend> backend_;
};

TEST_P(InceptionNetwork, GivesThePublishedFeatures) {
  const GoldenFile golden(inception_file());
  const fs::path weights = folder_ / "inception.safetensors";
  write_ruled_inception(golden, weights);
  Inception network(weights, *backend_);
  for (const std::string& name : golden.names("expected")) {
    const std::string inputs = "inputs/pictures" + name.substr(name.size() - 3);
    const auto values = golden.read<std::int64_t>(inputs);
    std::vector<Image> images;
    for (std::int64_t i = 0; i < golden.shape(inputs)[0]; ++i) {
      images.push_back(picture(values, golden.shape(inputs), i));
    }
    const InceptionFeatures features = network.run(images, resize_of(name));
    const auto expect = [&](const std::vector<float>& actual, const std::string& what) {
      EXPECT_LE(distance(actual, golden.read<float>("expected/" + name + "/" + what)), kFloat32)
          << name << " " << what;
    };
    expect(features.pooled, "pool3");
    expect(features.spatial, "spatial");
    expect(features.logits, "logits_unbiased");
    if (name != "adm256") continue;
    // A picture by itself has the same bits.
    const InceptionFeatures alone = network.run(std::span(images).subspan(1, 1), resize_of(name));
    EXPECT_TRUE(std::ranges::equal(alone.pooled, std::span(features.pooled).subspan(2048, 2048)));
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, InceptionNetwork, testing::Values("cpu"));
INSTANTIATE_TEST_SUITE_P(Cuda, InceptionNetwork, testing::Values("cuda"));

}  // namespace
}  // namespace edt::test
