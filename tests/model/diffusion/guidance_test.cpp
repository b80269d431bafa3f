#include "model/diffusion/guidance.h"

#include <gmock/gmock-matchers.h>

#include <cmath>

#include "core/base/error.h"

namespace edt {
namespace {

constexpr std::int64_t kPictures = 2, kChannels = 4;

// Fills output channel c of row r with 10 r + c and checks that both halves show the same pictures.
void numbered(const Tensor& x, const Evaluation& at, const Tensor& out) {
  ASSERT_EQ(x.shape, (Shape{2 * kPictures, kChannels, 1, 1}));
  EXPECT_EQ(at.told, 7);
  const auto pictures = x.span<float>();
  const auto half = static_cast<std::ptrdiff_t>(pictures.size() / 2);
  EXPECT_TRUE(std::equal(pictures.begin(), pictures.begin() + half, pictures.begin() + half));
  for (std::int64_t i = 0; i < out.elements(); ++i) {
    const std::int64_t row = i / (2 * kChannels);
    out.as<float>()[i] = static_cast<float>(10 * row + i % (2 * kChannels));
  }
}

std::vector<float> guided(const GuidanceConfig& config, double t) {
  std::vector<float> x{1, 2, 3, 4, 5, 6, 7, 8}, out(2 * x.size());
  GuidedDenoiser denoiser(numbered, config);
  denoiser(view_of(std::span(x), {kPictures, kChannels, 1, 1}), {t, t, 7},
           view_of(std::span(out), {kPictures, 2 * kChannels, 1, 1}));
  return out;
}

// with = 10 r + c, without = 10 (r + 2) + c: guided = with + (scale - 1) * (-20).
TEST(Guidance, MovesTheFirstThreeChannelsAsPublished) {
  EXPECT_THAT(guided({.scale = 4}, 0), testing::ElementsAre(-60, -59, -58, 3, 4, 5, 6, 7,  //
                                                            -50, -49, -48, 13, 14, 15, 16, 17));
}

TEST(Guidance, MovesAllChannelsOfNoiseWhenAsked) {
  EXPECT_THAT(guided({.scale = 2, .channels = {GuidedChannels::kAll}}, 0),
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
  EXPECT_NEAR(guidance_scale(config, 0.999), 1, 1e-12);
  EXPECT_DOUBLE_EQ(guidance_scale(config, 0.5), 1 + 1.5 * (1 - std::cos(std::acos(-1) / 16)));
  EXPECT_NEAR(guided(config, 0.5)[0], -20 * (guidance_scale(config, 0.5) - 1), 1e-5);
}

TEST(Guidance, RefusesScalesWithoutMeaning) {
  EXPECT_THROW(GuidedDenoiser(numbered, {.scale = -1}), UsageError);
  EXPECT_THROW(GuidedDenoiser(numbered, {.scale = std::nan("")}), UsageError);
  EXPECT_THROW(GuidedDenoiser(numbered, {.low = 0.5, .high = 0.4}), UsageError);
  EXPECT_THROW(GuidedDenoiser(numbered, {.high = 1.1}), UsageError);
}

// Networks that learn no variance give as many channels as there are.
TEST(Guidance, TakesNetworksWithoutVariance) {
  std::vector<float> x(kPictures * kChannels), out(x.size());
  const Denoiser rows = [](const Tensor&, const Evaluation&, const Tensor& to) {
    for (std::int64_t i = 0; i < to.elements(); ++i) {
      const std::int64_t row = i / 4;
      to.as<float>()[i] = static_cast<float>(row);
    }
  };
  GuidedDenoiser denoiser(rows, {.scale = 2, .channels = {2}});
  denoiser(view_of(std::span(x), {kPictures, kChannels, 1, 1}), {},
           view_of(std::span(out), {kPictures, kChannels, 1, 1}));
  EXPECT_THAT(out, testing::ElementsAre(-2, -2, 0, 0, -1, -1, 1, 1));
}

// Both evaluations of a step go by where it begins.
TEST(Guidance, LeavesTheOtherHalfOutOutsideItsInterval) {
  std::vector<std::int64_t> rows;
  const Denoiser counting = [&](const Tensor& x, const Evaluation&, const Tensor& out) {
    rows.push_back(x.shape[0]);
    std::ranges::fill(out.span<float>(), 1.f);
  };
  std::vector<float> x(kPictures * kChannels), out(x.size());
  GuidedDenoiser denoiser(counting, {.low = 0.25, .high = 0.75});
  const auto ask = [&](double t, double step_t) {
    denoiser(view_of(std::span(x), {kPictures, kChannels, 1, 1}), {t, step_t, 0},
             view_of(std::span(out), {kPictures, kChannels, 1, 1}));
  };
  ask(0.76, 0.76), ask(0.75, 0.75), ask(0.2, 0.25), ask(0.7, 0.8), ask(0.24, 0.24);
  EXPECT_THAT(rows, testing::ElementsAre(2, 4, 4, 2, 2));
  EXPECT_THAT(out, testing::Each(1));
}

// Of two channels; the guide gives 100 less in all of them, and is asked in guided steps alone.
TEST(Autoguidance, MovesAwayFromTheGuide) {
  int asked = 0;
  const auto giving = [](float offset) {
    return [offset](const Tensor&, const Evaluation&, const Tensor& out) {
      for (std::int64_t i = 0; i < out.elements(); ++i) {
        out.as<float>()[i] = static_cast<float>(i) + offset;
      }
    };
  };
  const Denoiser guide = [&](const Tensor& x, const Evaluation& at, const Tensor& out) {
    ++asked;
    EXPECT_EQ(x.shape[0], kPictures);
    giving(-100)(x, at, out);
  };
  std::vector<float> x(kPictures * kChannels), out(x.size());
  const auto guided = [&](const GuidanceConfig& config, double t) {
    AutoguidedDenoiser denoiser(giving(0), guide, config);
    denoiser(view_of(std::span(x), {kPictures, kChannels, 1, 1}), {t, t, 0},
             view_of(std::span(out), {kPictures, kChannels, 1, 1}));
    return out;
  };
  EXPECT_THAT(guided({.scale = 1.5, .channels = {2}}, 0.5),
              testing::ElementsAre(50, 51, 2, 3, 54, 55, 6, 7));
  EXPECT_EQ(asked, 1);
  EXPECT_THAT(guided({.scale = 1.5, .channels = {2}, .low = 0.6}, 0.5),
              testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_EQ(asked, 1);
  EXPECT_THROW(AutoguidedDenoiser(giving(0), guide, {.scale = -1}), UsageError);
}

TEST(Guidance, NamesItsChannels) {
  EXPECT_EQ(GuidedChannels::parse("auto").of(4), 3);
  EXPECT_EQ(GuidedChannels::parse("auto").of(32), 32);
  EXPECT_EQ(GuidedChannels::parse("all").of(4), 4);
  EXPECT_EQ(GuidedChannels::parse("first-three").of(32), 3);
  EXPECT_EQ(GuidedChannels::parse("first-three").of(2), 2);
  EXPECT_EQ(GuidedChannels::parse("5").of(32), 5);
  EXPECT_EQ(GuidedChannels::parse("5").text(32), "5");
  EXPECT_EQ(GuidedChannels::parse("auto").text(4), "first-three");
  EXPECT_EQ(GuidedChannels::parse("all").text(7), "all");
  EXPECT_THROW((void)GuidedChannels::parse("5").of(4), UsageError);
  for (const char* bad : {"", "0", "-1", "three", "3x"}) {
    EXPECT_THROW(GuidedChannels::parse(bad), UsageError) << bad;
  }
}

}  // namespace
}  // namespace edt
