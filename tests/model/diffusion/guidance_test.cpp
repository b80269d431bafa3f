#include "model/diffusion/guidance.h"

#include <gmock/gmock-matchers.h>

#include <cmath>

#include "core/base/error.h"

namespace edt {
namespace {

constexpr std::int64_t kPictures = 2, kChannels = 4;

// Fills output channel c of row r with 10 r + c and checks that both halves show the same pictures.
void numbered(const Tensor& x, std::span<const float> t, const Tensor& out) {
  ASSERT_EQ(x.shape, (Shape{2 * kPictures, kChannels, 1, 1}));
  ASSERT_EQ(t.size(), static_cast<std::size_t>(2 * kPictures));
  const auto pictures = x.span<float>();
  const auto half = static_cast<std::ptrdiff_t>(pictures.size() / 2);
  EXPECT_TRUE(std::equal(pictures.begin(), pictures.begin() + half, pictures.begin() + half));
  EXPECT_EQ(t[0], t[2]);
  for (std::int64_t i = 0; i < out.elements(); ++i) {
    out.as<float>()[i] = static_cast<float>(10 * (i / (2 * kChannels)) + i % (2 * kChannels));
  }
}

std::vector<float> guided(const GuidanceConfig& config, float timestep) {
  std::vector<float> x{1, 2, 3, 4, 5, 6, 7, 8}, out(2 * x.size());
  GuidedDenoiser denoiser(numbered, config);
  denoiser(view_of(std::span(x), {kPictures, kChannels, 1, 1}), std::vector<float>(2, timestep),
           view_of(std::span(out), {kPictures, 2 * kChannels, 1, 1}));
  return out;
}

// with = 10 r + c, without = 10 (r + 2) + c: guided = with + (scale - 1) * (-20).
TEST(Guidance, MovesTheFirstThreeChannelsAsPublished) {
  EXPECT_THAT(guided({.scale = 4}, 0), testing::ElementsAre(-60, -59, -58, 3, 4, 5, 6, 7,  //
                                                            -50, -49, -48, 13, 14, 15, 16, 17));
}

TEST(Guidance, MovesAllChannelsOfNoiseWhenAsked) {
  EXPECT_THAT(guided({.scale = 2, .channels = GuidedChannels::kAll}, 0),
              testing::ElementsAre(-20, -19, -18, -17, 4, 5, 6, 7,  //
                                   -10, -9, -8, -7, 14, 15, 16, 17));
}

TEST(Guidance, ScaleOneIsTheConditionalPrediction) {
  EXPECT_THAT(guided({.scale = 1}, 0),
              testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17));
}

TEST(Guidance, PowerCosineGrowsTowardsTheEnd) {
  const GuidanceConfig config{.scale = 4, .power_cosine = true};
  EXPECT_DOUBLE_EQ(guidance_scale(config, 0), 4);
  EXPECT_NEAR(guidance_scale(config, 999), 1, 1e-12);
  EXPECT_DOUBLE_EQ(guidance_scale(config, 500), 1 + 1.5 * (1 - std::cos(std::acos(-1) / 16)));
  EXPECT_NEAR(guided(config, 500)[0], -20 * (guidance_scale(config, 500) - 1), 1e-5);
}

TEST(Guidance, RefusesScalesWithoutMeaning) {
  EXPECT_THROW(GuidedDenoiser(numbered, {.scale = -1}), UsageError);
  EXPECT_THROW(GuidedDenoiser(numbered, {.scale = std::nan("")}), UsageError);
}

}  // namespace
}  // namespace edt
