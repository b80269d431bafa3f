#include "launcher/watch/curve.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace edt {
namespace {

TEST(Curve, FewStepsAreKeptAsTheyAre) {
  Curve curve(8);
  for (int i = 1; i <= 8; ++i) curve.add(i * 3, i);
  ASSERT_EQ(curve.buckets().size(), 8u);
  EXPECT_EQ(curve.smoothed()[2], (std::pair<double, double>(9, 3)));
  EXPECT_EQ(curve.extremes().size(), 8u);
}

TEST(Curve, NoExtremeIsLostInALongRun) {
  Curve curve(64);
  double sum = 0;
  for (int i = 1; i <= 100000; ++i) {
    const double value = i == 77777 ? 50.0 : i == 33333 ? -7.0 : std::sin(i);
    sum += value;
    curve.add(i, value);
  }
  EXPECT_LE(curve.buckets().size(), 64u);
  EXPECT_GE(curve.buckets().size(), 32u);
  double total = 0, low = 0, high = 0;
  std::int64_t count = 0, last = 0;
  for (const Curve::Bucket& bucket : curve.buckets()) {
    EXPECT_GT(bucket.first_step, last);
    last = bucket.last_step;
    total += bucket.sum;
    count += bucket.count;
    low = std::min(low, bucket.low);
    high = std::max(high, bucket.high);
    if (bucket.high == 50) {
      EXPECT_EQ(bucket.high_step, 77777);
    }
  }
  EXPECT_EQ(count, 100000);
  EXPECT_EQ(last, 100000);
  EXPECT_NEAR(total, sum, 1e-6);
  EXPECT_EQ(low, -7);
  EXPECT_EQ(high, 50);
  double before = 0;
  for (const auto& [step, value] : curve.extremes()) {
    EXPECT_GT(step, before);
    before = step;
  }
}

TEST(Curve, SmoothingKeepsAConstantAndTheEnds) {
  Curve curve;
  for (int i = 1; i <= 500; ++i) curve.add(i, i <= 250 ? 1 : 2);
  const auto smooth = curve.smoothed(0.1);
  EXPECT_EQ(smooth.front().second, 1);
  EXPECT_EQ(smooth.back().second, 2);
  EXPECT_NEAR(smooth[249].second, 1.5, 0.05);
}

TEST(Curve, SmoothingDragsNoEndAlong) {
  Curve curve;
  for (int i = 1; i <= 500; ++i) curve.add(i, 3.0 * i);
  for (const auto& [step, value] : curve.smoothed(0.1)) EXPECT_NEAR(value, 3 * step, 1e-9);
}

// Also where a bucket holds many steps.
TEST(Curve, SmoothedAndRawCurveReachFromTheFirstValueToTheLast) {
  for (const int steps : {1, 7, 8, 100, 1000, 1023}) {
    Curve curve(8);
    for (int i = 1; i <= steps; ++i) curve.add(i, 3.0 * i);
    for (const auto& line : {curve.smoothed(0.5), curve.extremes()}) {
      EXPECT_EQ(line.front(), (std::pair<double, double>(1, 3))) << steps;
      EXPECT_EQ(line.back(), (std::pair<double, double>(steps, 3.0 * steps))) << steps;
    }
  }
}

TEST(Curve, NotFiniteValuesAreCounted) {
  Curve curve;
  curve.add(1, std::numeric_limits<double>::quiet_NaN());
  curve.add(2, std::numeric_limits<double>::infinity());
  EXPECT_TRUE(curve.empty());
  EXPECT_EQ(curve.not_finite(), 2);
}

}  // namespace
}  // namespace edt
