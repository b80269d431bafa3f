// What is exact about the best denoiser of a finite data set, and about nearest samples.
#include "model/evaluation/finite_data.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random/stream.h"

namespace edt::test {
namespace {

constexpr std::int64_t kNumbers = 24;

std::vector<float> rows_drawn(std::int64_t rows, std::uint32_t sample) {
  std::vector<float> values(static_cast<std::size_t>(rows * kNumbers));
  random::fill_normal({.seed = 7, .purpose = random::Purpose::kBenchmark, .sample = sample},
                      values);
  return values;
}

struct Set {
  std::vector<float> values;
  std::vector<std::int32_t> labels;
  Set(std::vector<float> v, std::int32_t classes)
      : values(std::move(v)), labels(values.size() / static_cast<std::size_t>(kNumbers)) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      labels[i] = static_cast<std::int32_t>(i) % classes;
    }
  }
  SampleBlock block(std::uint64_t first = 0) const { return {{values, kNumbers}, labels, first}; }
};

// x_t of the first `rows` samples, at one level.
std::vector<float> noised(const Set& set, std::int64_t rows, NoiseLevel level) {
  const auto noise = rows_drawn(rows, 99);
  std::vector<float> x_t(noise.size());
  for (std::size_t k = 0; k < x_t.size(); ++k) {
    x_t[k] = static_cast<float>(level.alpha * set.values[k] + level.sigma * noise[k]);
  }
  return x_t;
}

BestDenoiser denoiser(const Set& set, std::int64_t rows, NoiseLevel level) {
  const auto count = static_cast<std::size_t>(rows);
  return {{noised(set, rows, level), kNumbers},
          std::vector<NoiseLevel>(count, level),
          std::vector<std::int32_t>(set.labels.begin(), set.labels.begin() + rows)};
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(BestDenoiser, OfOneSampleIsThatSample) {
  const Set one(rows_drawn(1, 0), 1);
  BestDenoiser best = denoiser(one, 1, {.alpha = 0.3, .sigma = 0.9});
  best.add(one.block());
  for (std::size_t k = 0; k < kNumbers; ++k) EXPECT_EQ(best.of_all()[k], double{one.values[k]});
}

TEST(BestDenoiser, DoesNotSeeHowOftenTheWholeSetIsStored) {
  const Set set(rows_drawn(20, 0), 3);
  const NoiseLevel level{.alpha = 0.6, .sigma = 0.8};
  BestDenoiser once = denoiser(set, 9, level), twice = denoiser(set, 9, level);
  once.add(set.block());
  twice.add(set.block());
  twice.add(set.block(20));
  EXPECT_LT(largest_difference(once.of_all(), twice.of_all()), 1e-12);
  EXPECT_LT(largest_difference(once.of_class(), twice.of_class()), 1e-12);
}

// Where noise is all there is, the best guess is the mean of the set, or of the class; where there
// is none to speak of, the sample itself, exactly.
TEST(BestDenoiser, GoesFromTheSampleToTheMean) {
  const Set set(rows_drawn(30, 0), 3);
  BestDenoiser blind = denoiser(set, 4, {.alpha = 1e-6, .sigma = 1});
  blind.add(set.block());
  std::vector<double> means(static_cast<std::size_t>(kNumbers)), of_first(means.size());
  for (std::size_t i = 0; i < 30; ++i) {
    for (std::size_t k = 0; k < means.size(); ++k) {
      means[k] += double{set.values[i * means.size() + k]} / 30;
      if (set.labels[i] == 0) of_first[k] += double{set.values[i * means.size() + k]} / 10;
    }
  }
  for (std::size_t k = 0; k < means.size(); ++k) {
    EXPECT_NEAR(blind.of_all()[k], means[k], 1e-4);
    EXPECT_NEAR(blind.of_class()[k], of_first[k], 1e-4);
  }
  BestDenoiser clear = denoiser(set, 4, {.alpha = 1, .sigma = 1e-3});
  clear.add(set.block());
  for (std::size_t k = 0; k < 4 * means.size(); ++k) {
    EXPECT_EQ(clear.of_all()[k], double{set.values[k]});
  }
}

// An outlier late in the stream must not be lost to what came before it, nor the other way round.
TEST(BestDenoiser, KeepsItsRangeWhateverTheOrder) {
  Set set(rows_drawn(600, 0), 2);
  for (float& v : std::span(set.values).subspan(0, kNumbers)) v += 100;  // far from all others
  const NoiseLevel level{.alpha = 1, .sigma = 0.01};
  BestDenoiser first = denoiser(set, 1, level), last = denoiser(set, 1, level);
  first.add(set.block());
  const Features all{set.values, kNumbers};
  const std::span<const std::int32_t> labels(set.labels);
  last.add(SampleBlock(all.rows(1, 600), labels.subspan(1), 0));
  last.add(SampleBlock(all.rows(0, 1), labels.first(1), 599));
  EXPECT_LT(largest_difference(first.of_all(), last.of_all()), 1e-12);
}

TEST(NearestSamples, FindsACopyExactlyAndCountsPlaces) {
  const Set set(rows_drawn(40, 0), 2);
  const std::vector<float> picture(set.values.begin() + 25 * kNumbers,
                                   set.values.begin() + 26 * kNumbers);
  NearestSamples nearest({picture, kNumbers});
  const Features all{set.values, kNumbers};
  const std::span<const std::int32_t> labels(set.labels);
  nearest.add(SampleBlock(all.rows(0, 20), labels.first(20), 0));
  nearest.add(SampleBlock(all.rows(20, 40), labels.subspan(20), 20));
  const NearestPair& pair = nearest.pairs()[0];
  EXPECT_EQ(pair.sample[0], 25u);
  EXPECT_EQ(pair.distance[0], 0);
  EXPECT_EQ(pair.ratio(), 0);
  EXPECT_TRUE(pair.is_copy());
  EXPECT_GT(pair.distance[1], 0.5);
}

TEST(NearestSamples, OfASetOfOneSaysNothingOfCopies) {
  const Set one(rows_drawn(1, 0), 1);
  NearestSamples nearest({one.values, kNumbers});
  nearest.add(one.block());
  EXPECT_EQ(nearest.pairs()[0].sample[1], NearestPair::kNone);
  EXPECT_FALSE(nearest.pairs()[0].is_copy());
}

}  // namespace
}  // namespace edt::test
