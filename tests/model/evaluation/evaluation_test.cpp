#include "model/evaluation/moments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/random/stream.h"
#include "model/evaluation/frechet.h"
#include "model/evaluation/inception_score.h"
#include "model/evaluation/kernel_distance.h"
#include "model/evaluation/neighbours.h"
#include "tests/support/message_of.h"
#include "tests/support/omp_threads.h"

namespace edt::test {
namespace {

constexpr std::int64_t kWidth = 300, kRows = 700;  // more than a panel, more than two blocks

std::vector<float> drawn(std::uint32_t sample, float offset = 0) {
  std::vector<float> values(static_cast<std::size_t>(kWidth * kRows));
  random::fill_normal({.seed = 3, .purpose = random::Purpose::kBenchmark, .sample = sample},
                      values);
  for (float& v : values) v += offset;
  return values;
}

FeatureStatistics in_calls_of(const std::vector<float>& values, std::int64_t rows) {
  const Features all{values, kWidth};
  FeatureMoments moments(kWidth);
  for (std::int64_t begin = 0; begin < all.count(); begin += rows) {
    moments.add(all.rows(begin, std::min(all.count(), begin + rows)));
  }
  return moments.statistics();
}

TEST(Moments, DoNotDependOnCallsOrThreads) {
  const auto values = drawn(0);
  const FeatureStatistics whole = in_calls_of(values, kRows);
  for (const std::int64_t rows : {1, 7, 256, 300}) {
    const FeatureStatistics other = in_calls_of(values, rows);
    EXPECT_EQ(other.mean, whole.mean) << rows;
    EXPECT_EQ(other.covariance, whole.covariance) << rows;
  }
  const OmpThreads threads(3);
  EXPECT_EQ(in_calls_of(values, kRows).covariance, whole.covariance);
}

// By the definition, in long double.
TEST(Moments, AreTheDefinition) {
  const auto values = drawn(0);
  const FeatureStatistics statistics = in_calls_of(values, kRows);
  const auto at = [&](std::int64_t row, std::int64_t column) {
    return static_cast<long double>(values[static_cast<std::size_t>(row * kWidth + column)]);
  };
  for (const auto& [i, j] : {std::pair{0, 0}, {299, 0}, {0, 299}, {131, 130}, {127, 128}}) {
    long double mean_i = 0, mean_j = 0, sum = 0;
    for (std::int64_t row = 0; row < kRows; ++row) mean_i += at(row, i) / kRows;
    for (std::int64_t row = 0; row < kRows; ++row) mean_j += at(row, j) / kRows;
    for (std::int64_t row = 0; row < kRows; ++row) {
      sum += (at(row, i) - mean_i) * (at(row, j) - mean_j);
    }
    EXPECT_NEAR(statistics.covariance[static_cast<std::size_t>(i * kWidth + j)],
                static_cast<double>(sum / (kRows - 1)), 1e-13)
        << i << ", " << j;
  }
}

// A common offset of 1e4 leaves float32 features with steps of 1e-3; sums of squares would keep
// nothing of a covariance of such steps.
TEST(Moments, KeepDigitsBesideALargeMean) {
  auto near = drawn(0, 1e4F);
  auto there = near;
  for (float& v : there) v -= 1e4F;  // exact
  const auto a = in_calls_of(near, kRows), b = in_calls_of(there, kRows);
  for (std::size_t i = 0; i < a.covariance.size(); ++i) {
    ASSERT_NEAR(a.covariance[i], b.covariance[i], 1e-11);
  }
}

TEST(Evaluation, RefusesWhatHasNoMeaning) {
  std::vector<float> values{1, 2, 3, 4, 5, 6};
  const Features pair{values, 3}, triple{values, 2};
  FeatureMoments moments(3);
  moments.add(pair.rows(0, 1));
  EXPECT_EQ(message_of<DataError>([&] { (void)moments.statistics(); }),
            "[evaluation] a covariance takes 2 pictures or more, not 1");
  std::vector<float> bad = values;
  bad[4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(message_of<DataError>([&] {
              moments.add({bad, 3});
            }),
            "[evaluation] the features of picture 2 are not finite");
  EXPECT_EQ(moments.count(), 1);  // nothing of the call was taken
  EXPECT_EQ(message_of<DataError>([&] { (void)precision_recall(pair, triple, 1); }),
            "[evaluation] the reference has features of 3 numbers, the samples of 2");
  EXPECT_EQ(message_of<DataError>([&] { (void)squared_radii(pair, 2); }),
            "[evaluation] the 2-th nearest neighbour takes 3 pictures or more, not 2");
  EXPECT_EQ(message_of<DataError>([&] { (void)cubic_discrepancy(pair.rows(0, 1), pair); }),
            "[evaluation] a kernel distance takes 2 pictures or more of each set, not 1 and 2");
  EXPECT_EQ(message_of<DataError>([&] { (void)kernel_inception_distance(pair, pair, 1, 3, 0); }),
            "[evaluation] subsets of 3 pictures of sets of 2 and 2");
  EXPECT_EQ(message_of<DataError>([&] { (void)kernel_inception_distance(pair, pair, 1, 1, 0); }),
            "[evaluation] subsets of 1 pictures of sets of 2 and 2");
  std::vector<float> zero{0, 0, 0};
  EXPECT_EQ(message_of<DataError>([&] {
              (void)gaussian_discrepancy({zero, 3}, pair, 10);
            }),
            "[evaluation] the features of picture 0 are all zero");
  EXPECT_EQ(message_of<DataError>([&] {
              (void)inception_score({{}, 3}, 5000);
            }),
            "[evaluation] an Inception Score takes pictures");
  moments.add(pair);
  const FrechetReference reference(moments.statistics());
  EXPECT_EQ(message_of<DataError>(
                [&] { (void)reference.distance_to({.count = 2, .mean = {0}, .covariance = {1}}); }),
            "[evaluation] the reference has features of 3 numbers, the samples of 1");
  EXPECT_EQ(message_of<DataError>(
                [&] { FrechetReference({.count = 2, .mean = {INFINITY}, .covariance = {1}}); }),
            "[evaluation] statistics of features are not finite");
  FeatureStatistics torn = moments.statistics();
  torn.covariance[5] = NAN;
  EXPECT_EQ(message_of<DataError>([&] { (void)reference.distance_to(torn); }),
            "[evaluation] statistics of features are not finite");
}

// The two sides of a subset are drawn by themselves: of a set against itself there is no distance
// but chance, less what one pair in 600, that of a row with itself, has above the others (8.6 and
// 1.15). With the same rows on both sides it would be one in 50.
TEST(KernelInceptionDistance, OfASetAgainstItselfIsChance) {
  const auto values = drawn(0);
  const Features set{std::span(values).first(20 * 600), 20};
  const KernelDistance distance = kernel_inception_distance(set, set, 60, 50, 4);
  EXPECT_GT(distance.deviation, 0);
  EXPECT_NEAR(distance.mean, -2 * (8.6 - 1.15) / 600, 4 * distance.deviation / std::sqrt(60.0));
}

// exp of them is beyond all numbers.
TEST(InceptionScore, OfLargeLogits) {
  const std::vector<float> logits{2000, 0, 0, 2000};
  EXPECT_NEAR(inception_score({logits, 2}, 5000).mean, 2, 1e-12);  // two sure classes
}

// Normals of known moments: |m|^2 + trace(A + B - 2 root(A B)) of commuting covariances.
TEST(Frechet, OfCommutingCovariances) {
  const FeatureStatistics a{.count = 0, .mean = {0, 1}, .covariance = {4, 0, 0, 9}};
  const FeatureStatistics b{.count = 0, .mean = {3, 1}, .covariance = {1, 0, 0, 16}};
  const FrechetDistance distance = FrechetReference(a).distance_to(b);
  EXPECT_DOUBLE_EQ(distance.mean_term, 9);
  EXPECT_DOUBLE_EQ(distance.value(), 9 + (2 - 1) * (2 - 1) + (3 - 4) * (3 - 4));
}

// Fewer pictures than columns: what rounding leaves of the other eigenvalues is no rank.
TEST(Frechet, KnowsTheRank) {
  const auto values = drawn(0);
  FeatureMoments moments(kWidth);
  moments.add(Features{values, kWidth}.rows(0, 40));
  EXPECT_EQ(FrechetReference(moments.statistics()).rank(), 39);
}

// Rows on several tiles of 512, against every pair.
TEST(Neighbours, OfMoreRowsThanATile) {
  const auto a = drawn(0), b = drawn(1, 0.02F);
  constexpr std::int64_t kShort = 12;
  const auto cut = [](const std::vector<float>& values) {
    return Features{std::span(values).first(static_cast<std::size_t>(kRows * kShort)), kShort};
  };
  const Features reference = cut(a), samples = cut(b);
  const std::vector<double> radii = squared_radii(reference, 3);
  std::int64_t inside = 0, held = 0;
  std::vector<int> covered(static_cast<std::size_t>(kRows));
  for (std::int64_t i = 0; i < kRows; ++i) {
    bool found = false;
    for (std::int64_t j = 0; j < kRows; ++j) {
      double distance = 0;
      for (std::int64_t k = 0; k < kShort; ++k) {
        const double step = static_cast<double>(samples.row(i)[static_cast<std::size_t>(k)]) -
                            static_cast<double>(reference.row(j)[static_cast<std::size_t>(k)]);
        distance += step * step;
      }
      if (distance > radii[static_cast<std::size_t>(j)]) continue;
      found = true;
      ++held;
      covered[static_cast<std::size_t>(j)] = 1;
    }
    inside += found ? 1 : 0;
  }
  EXPECT_DOUBLE_EQ(precision_recall(reference, samples, 3).precision,
                   static_cast<double>(inside) / kRows);
  const DensityCoverage both = density_coverage(reference, samples, 3);
  EXPECT_DOUBLE_EQ(both.density, static_cast<double>(held) / (3.0 * kRows));
  EXPECT_DOUBLE_EQ(both.coverage, static_cast<double>(std::ranges::count(covered, 1)) / kRows);
}

// Squares of rows far from the origin would keep nothing of small distances.
TEST(Neighbours, KeepDigitsBesideALargeMean) {
  const auto cut = [](const std::vector<float>& values) {
    return std::vector<float>(values.begin(), values.begin() + kWidth * 50);
  };
  const auto far = cut(drawn(0, 1e4F));
  auto near = far;
  for (float& v : near) v -= 1e4F;  // exact
  const auto a = squared_radii({far, kWidth}, 3), b = squared_radii({near, kWidth}, 3);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-9);
  const auto shares = [](const std::vector<float>& set) {
    return precision_recall({set, kWidth}, Features{set, kWidth}.rows(0, 30), 2).recall;
  };
  EXPECT_EQ(shares(far), shares(near));
}

TEST(Neighbours, EqualRowsAreAtDistanceZero) {
  std::vector<float> values;
  for (int i = 0; i < 5; ++i) {
    for (int k = 0; k < 40; ++k) values.push_back(0.1F * static_cast<float>(k) + 1e-3F);
  }
  for (const double radius : squared_radii({values, 40}, 3)) EXPECT_EQ(radius, 0);
  // Beside others, so that none of them lies where the mean is.
  const auto others = drawn(2);
  std::vector<float> groups;
  for (int group = 0; group < 8; ++group) {
    const auto row = Features{others, kWidth}.row(group);
    for (int i = 0; i < 5; ++i) groups.insert(groups.end(), row.begin(), row.end());
  }
  for (const double radius : squared_radii({groups, kWidth}, 3)) EXPECT_EQ(radius, 0);
}

// On the edge of a radius a sample is inside by precision, and is not by density, as published.
TEST(Neighbours, OnTheEdge) {
  const std::vector<float> reference{0, 1}, samples{-1, 5};  // radii of the nearest: 1
  EXPECT_EQ(precision_recall({reference, 1}, {samples, 1}, 1).precision, 0.5);
  EXPECT_EQ(density_coverage({reference, 1}, {samples, 1}, 1).density, 0);
}

}  // namespace
}  // namespace edt::test
