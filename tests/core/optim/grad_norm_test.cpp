#include "core/optim/grad_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/random/stream.h"

namespace edt {
namespace {

std::vector<float> normals(std::size_t n) {
  std::vector<float> values(n);
  random::fill_normal({.seed = 3}, values);
  return values;
}

std::vector<double> sums_of(std::span<const float> values) {
  std::vector<double> sums(norm_blocks(values.size()));
  block_square_sums(values, sums);
  return sums;
}

TEST(GradNorm, IsTheEuclideanNorm) {
  const auto values = normals(3 * kNormBlock + 5);
  long double total = 0;
  for (float v : values) total += static_cast<long double>(v) * v;
  EXPECT_NEAR(norm_of(sums_of(values)), static_cast<double>(std::sqrt(total)), 1e-12 * 111);
  EXPECT_EQ(norm_of(sums_of(std::vector<float>{3, 4})), 5);
  EXPECT_EQ(norm_of({}), 0);
}

TEST(GradNorm, ShardsOfWholeBlocksGiveTheSameSums) {
  const auto values = normals(5 * kNormBlock + 77);
  const auto whole = sums_of(values);
  std::vector<double> joined;
  for (std::size_t begin : {std::size_t{0}, kNormBlock, 4 * kNormBlock}) {
    const std::size_t end = begin == 0            ? kNormBlock
                            : begin == kNormBlock ? 4 * kNormBlock
                                                  : values.size();
    for (double sum : sums_of(std::span(values).subspan(begin, end - begin))) joined.push_back(sum);
  }
  EXPECT_EQ(joined, whole);
}

TEST(GradNorm, PaddingWithZerosChangesNothing) {
  auto values = normals(kNormBlock + 13);
  const double norm = norm_of(sums_of(values));
  values.resize(4 * kNormBlock);
  EXPECT_EQ(norm_of(sums_of(values)), norm);
}

TEST(GradNorm, LeftOutElementsCountAsZero) {
  const auto values = normals(4 * kNormBlock + 9);
  const std::vector<ElementRange> left_out{{3, 5},
                                           {kNormBlock - 2, kNormBlock + 7},
                                           {2 * kNormBlock, 3 * kNormBlock},
                                           {4 * kNormBlock + 8, 4 * kNormBlock + 9}};
  auto zeroed = values;
  for (const ElementRange& range : left_out) {
    for (std::size_t i = range.begin; i < range.end; ++i) zeroed[i] = 0;
  }
  std::vector<double> sums(norm_blocks(values.size()));
  block_square_sums(values, left_out, sums);
  EXPECT_EQ(sums, sums_of(zeroed));
  EXPECT_NE(sums, sums_of(values));
  block_square_sums(values, {}, sums);
  EXPECT_EQ(sums, sums_of(values));
}

TEST(GradNorm, HugeGradientsDoNotOverflow) {
  const std::vector<float> values(10, std::numeric_limits<float>::max());
  EXPECT_TRUE(std::isfinite(norm_of(sums_of(values))));
}

TEST(ClipFactor, ShrinksLargeGradientsOnly) {
  EXPECT_EQ(clip_factor(0.5, 1), 1);
  EXPECT_NEAR(clip_factor(4, 1), 0.25, 1e-6);
  EXPECT_EQ(clip_factor(4, 0), 1);
  EXPECT_EQ(clip_factor(0, 1), 1);
}

}  // namespace
}  // namespace edt
