#include "model/training/draws.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace edt {
namespace {

const std::vector<MaskSpec> kMasks{
    {"mid", 256, 0.15f, 0.25f}, {"down0", 256, 0.4f, 0.5f}, {"down1", 64, 0.1f, 0.2f}};

std::vector<std::vector<float>> draw(StepKey key, const std::vector<std::int32_t>& positions) {
  std::vector<std::vector<float>> masks;
  for (const MaskSpec& mask : kMasks) {
    masks.emplace_back(static_cast<std::size_t>(mask.tokens) * positions.size());
  }
  const std::vector<std::span<float>> views(masks.begin(), masks.end());
  draw_masks(key, kMasks, positions, views);
  return masks;
}

TEST(Masks, DependOnPositionNotOnMicroBatch) {
  const StepKey key{5, 17};
  const auto all = draw(key, {0, 1, 2, 3});
  const auto half = draw(key, {2, 3});
  for (std::size_t m = 0; m < kMasks.size(); ++m) {
    const auto tokens = static_cast<std::size_t>(kMasks[m].tokens);
    EXPECT_TRUE(std::equal(half[m].begin(), half[m].end(), all[m].begin() + 2 * tokens)) << m;
    EXPECT_FALSE(std::equal(half[m].begin(), half[m].end(), all[m].begin())) << m;
  }
}

TEST(Masks, ShareFollowsTheRatioOfTheBatch) {
  std::vector<std::int32_t> positions(400);
  for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<std::int32_t>(i);
  for (std::uint32_t step = 0; step < 3; ++step) {
    const auto masks = draw({1, step}, positions);
    for (std::size_t m = 0; m < kMasks.size(); ++m) {
      const double ratio = mask_ratio({1, step}, kMasks, m);
      EXPECT_GE(ratio, kMasks[m].low);
      EXPECT_LT(ratio, kMasks[m].high);
      double masked = 0;
      for (float keep : masks[m]) {
        ASSERT_TRUE(keep == 0.f || keep == 1.f);
        masked += keep == 0.f;
      }
      const auto n = static_cast<double>(masks[m].size());
      EXPECT_NEAR(masked / n, ratio, 5 * std::sqrt(ratio * (1 - ratio) / n));  // five sigma
    }
  }
  EXPECT_NE(mask_ratio({1, 0}, kMasks, 1), mask_ratio({1, 1}, kMasks, 1));
}

struct Visible {
  std::vector<std::int32_t> ids, places;
};

Visible draw_visible(StepKey key, const std::vector<std::int32_t>& positions, std::int64_t count) {
  Visible visible{std::vector<std::int32_t>(positions.size() * static_cast<std::size_t>(count)),
                  std::vector<std::int32_t>(positions.size() * 64)};
  draw_visible_tokens(key, {"dropped", 64, 0.3f, 0.5f}, positions, count, visible.ids,
                      visible.places);
  return visible;
}

TEST(VisibleTokens, AreInGridOrderAndSayWhereTheyAre) {
  const Visible visible = draw_visible({1, 2}, {0, 1, 2}, 40);
  for (std::size_t b = 0; b < 3; ++b) {
    const auto ids = std::span(visible.ids).subspan(b * 40, 40);
    const auto places = std::span(visible.places).subspan(b * 64, 64);
    EXPECT_TRUE(std::ranges::is_sorted(ids));
    EXPECT_EQ(std::ranges::count(places, -1), 24);
    for (std::size_t k = 0; k < 40; ++k) {
      EXPECT_EQ(places[static_cast<std::size_t>(ids[k])], static_cast<std::int32_t>(k));
    }
  }
}

TEST(VisibleTokens, DependOnSeedStepAndPositionOnly) {
  const Visible all = draw_visible({1, 2}, {0, 1, 2, 3}, 40),
                half = draw_visible({1, 2}, {2, 3}, 40);
  EXPECT_TRUE(std::equal(half.ids.begin(), half.ids.end(), all.ids.begin() + 80));
  EXPECT_NE(half.ids, draw_visible({1, 3}, {2, 3}, 40).ids);
  EXPECT_NE(half.ids, draw_visible({2, 2}, {2, 3}, 40).ids);
  EXPECT_FALSE(std::equal(half.ids.begin(), half.ids.begin() + 40, half.ids.begin() + 40));
}

TEST(VisibleTokens, EveryPlaceIsVisibleEquallyOften) {
  std::vector<int> times(64);
  constexpr int kSteps = 2000;
  for (std::uint32_t step = 0; step < kSteps; ++step) {
    for (const std::int32_t id : draw_visible({1, step}, {7}, 32).ids)
      ++times[static_cast<std::size_t>(id)];
  }
  for (const int count : times) EXPECT_NEAR(count, kSteps / 2.0, 5 * std::sqrt(kSteps / 4.0));
}

TEST(LabelDropout, DropsTheShareAskedForAndDiffersBetweenPasses) {
  std::vector<std::int32_t> positions(20000), full(20000, 3), masked(20000, 3);
  for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<std::int32_t>(i);
  drop_labels({1, 2}, random::Purpose::kLabelDrop, positions, 0.1f, 10, full);
  drop_labels({1, 2}, random::Purpose::kLabelDropMasked, positions, 0.1f, 10, masked);
  const auto dropped = std::count(full.begin(), full.end(), 10);
  EXPECT_EQ(dropped + std::count(full.begin(), full.end(), 3), 20000);
  EXPECT_NEAR(static_cast<double>(dropped), 2000, 5 * std::sqrt(20000 * 0.1 * 0.9));
  EXPECT_NE(full, masked);
}

}  // namespace
}  // namespace edt
