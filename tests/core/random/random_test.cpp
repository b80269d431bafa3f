// Known answers of Philox 4x32-10 come from the test vectors of Random123 (kat_vectors).
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <vector>

#include "core/base/error.h"
#include "core/random/logistic.h"
#include "core/random/normal.h"
#include "core/random/permutation.h"
#include "core/random/philox.h"
#include "core/random/stream.h"

namespace edt::random {
namespace {

TEST(Philox, PublishedVectors) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Stream, ElementsDoNotDependOnLength) {
  const StreamKey key{.seed = 7, .purpose = Purpose::kNoise, .step = 3, .sample = 11};
  std::vector<float> longer(1000), shorter(13);
  fill_normal(key, longer);
  fill_normal(key, shorter);
  for (std::size_t i = 0; i < shorter.size(); ++i) EXPECT_EQ(longer[i], shorter[i]);
}

TEST(Stream, KeysAreIndependent) {
  const StreamKey base{.seed = 7, .purpose = Purpose::kNoise, .step = 3, .sample = 11};
  std::set<float> values;
  for (const StreamKey& key :
       {base, StreamKey{8, Purpose::kNoise, 3, 11}, StreamKey{7, Purpose::kTimestep, 3, 11},
        StreamKey{7, Purpose::kNoise, 4, 11}, StreamKey{7, Purpose::kNoise, 3, 12}}) {
    values.insert(uniform(key));
  }
  EXPECT_EQ(values.size(), 5u);
}

// The logistic distribution: P(x < a) = 1 / (1 + exp(-a)), variance pi^2 / 3.
TEST(Stream, DifferencesOfGumbelDrawsAreLogistic) {
  std::vector<float> x(1 << 18);
  fill_logistic({.seed = 1, .purpose = Purpose::kGates}, x);
  const double n = static_cast<double>(x.size());
  double square = 0;
  for (const float v : x) square += double(v) * v;
  // Five standard errors; the fourth moment is 7 pi^4 / 15.
  const double pi2 = std::numbers::pi * std::numbers::pi;
  EXPECT_NEAR(square / n, pi2 / 3, 5 * std::sqrt((7. / 15 - 1. / 9) * pi2 * pi2 / n));
  for (const double a : {-2., 0., 0.5, 3.}) {
    const auto below =
        static_cast<double>(std::ranges::count_if(x, [a](float v) { return v < a; }));
    const double p = 1 / (1 + std::exp(-a));
    EXPECT_NEAR(below / n, p, 5 * std::sqrt(p * (1 - p) / n)) << a;
  }
  // The ends of the range are finite, and each other's opposites.
  EXPECT_EQ(logistic_of(0), -logistic_of(0xffffffffu));
  EXPECT_NEAR(logistic_of(0), -33 * std::numbers::ln2, 1e-5);
}

TEST(Stream, Moments) {
  std::vector<float> x(1 << 18);
  fill_normal({.seed = 1, .purpose = Purpose::kNoise}, x);
  double mean = 0, square = 0, fourth = 0;
  for (float v : x) {
    mean += v;
    square += double(v) * v;
    fourth += std::pow(v, 4);
  }
  const double n = static_cast<double>(x.size());
  // Five standard errors: 5/sqrt(n), 5 sqrt(2/n), 5 sqrt(96/n).
  EXPECT_NEAR(mean / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(square / n, 1, 5 * std::sqrt(2 / n));
  EXPECT_NEAR(fourth / n, 3, 5 * std::sqrt(96 / n));
  fill_uniform({.seed = 1, .purpose = Purpose::kNoise}, x);
  mean = 0;
  for (float v : x) {
    ASSERT_GE(v, 0.f);
    ASSERT_LT(v, 1.f);
    mean += v;
  }
  EXPECT_NEAR(mean / n, 0.5, 5 / std::sqrt(12 * n));
}

// The series against the library, to a few roundings of double.
TEST(Normal, SeriesAreExact) {
  for (std::uint64_t i = 0; i < 100000; ++i) {
    const auto word = static_cast<std::uint32_t>(i * 0x9E3779B97F4A7C15u >> 32);
    const double u = (word + 0.5) * 0x1p-32, log = std::log(u);
    ASSERT_NEAR(exact_log(u), log, 4e-16 * std::abs(log)) << word;
    const double angle = 2 * std::numbers::pi * u;
    ASSERT_NEAR(exact_turn(word).cos, std::cos(angle), 1e-15) << word;
    ASSERT_NEAR(exact_turn(word).sin, std::sin(angle), 1e-15) << word;
  }
  EXPECT_NEAR(exact_log(0x1p-33), std::log(0x1p-33), 1e-14);
  EXPECT_NEAR(exact_log(1 - 0x1p-33), std::log(1 - 0x1p-33), 1e-25);
}

// Every processor and compiler makes these numbers.
TEST(Normal, HasTheseBits) {
  std::vector<float> x(6);
  fill_normal({.seed = 7, .purpose = Purpose::kNoise, .step = 3, .sample = 11}, x);
  const std::vector<float> expected{-0x1.3981bep-2f, -0x1.e9a334p-3f, 0x1.ba203ap-2f,
                                    -0x1.a5279ap-1f, -0x1.16f274p+0f, -0x1.108882p-2f};
  EXPECT_EQ(x, expected);
}

TEST(Permutation, HitsEveryValueOnce) {
  for (std::uint64_t size : {1, 2, 3, 5, 64, 1000, 4097}) {
    const Permutation permutation({.seed = 3, .purpose = Purpose::kDataOrder, .step = 1}, size);
    std::vector<int> seen(size, 0);
    for (std::uint64_t i = 0; i < size; ++i) {
      ASSERT_LT(permutation(i), size);
      ++seen[permutation(i)];
    }
    for (int count : seen) EXPECT_EQ(count, 1);
  }
}

// A change here would change the order of every run.
TEST(Permutation, StaysWhatItIs) {
  const auto images = [](std::uint64_t size) {
    const Permutation permutation(
        {.seed = 0x123456789abcdef, .purpose = Purpose::kDataOrder, .step = 7, .sample = 2}, size);
    std::vector<std::uint64_t> values;
    for (std::uint64_t i = 0; i < 5; ++i) values.push_back(permutation(i * (size / 5)));
    return values;
  };
  using testing::ElementsAre;
  EXPECT_THAT(images(5), ElementsAre(0, 4, 3, 1, 2));
  EXPECT_THAT(images(1000), ElementsAre(237, 199, 716, 479, 978));
  EXPECT_THAT(images(1281167), ElementsAre(1047533, 686683, 408526, 646586, 506914));
}

TEST(Permutation, SizesHaveALimit) {
  EXPECT_THROW(Permutation({}, 0), Error);
  EXPECT_THROW(Permutation({}, (std::uint64_t{1} << 32) + 1), Error);
  const Permutation largest({}, std::uint64_t{1} << 32);
  EXPECT_LT(largest((std::uint64_t{1} << 32) - 1), std::uint64_t{1} << 32);
}

TEST(Permutation, EpochsDiffer) {
  const Permutation first({.seed = 3, .purpose = Purpose::kDataOrder, .step = 0}, 1000);
  const Permutation second({.seed = 3, .purpose = Purpose::kDataOrder, .step = 1}, 1000);
  int fixed = 0, same = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    fixed += first(i) == i;
    same += first(i) == second(i);
  }
  EXPECT_LT(fixed, 10);  // expected 1 for a random permutation
  EXPECT_LT(same, 10);
}

}  // namespace
}  // namespace edt::random
