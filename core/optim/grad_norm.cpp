#include "core/optim/grad_norm.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/assert.h"

namespace edt {
namespace {

// The square of a float is exact in double, and each lane adds in index order, so neither vector
// width nor fused multiply-add changes the bits. A float's square cannot overflow a double either.
double square_sum(const float* values, std::size_t n) {
  constexpr std::size_t kLanes = 16;
  std::array<double, kLanes> lanes{};
  const auto add = [&lanes](std::size_t lane, float value) {
    lanes[lane] += static_cast<double>(value) * static_cast<double>(value);
  };
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) add(lane, values[i + lane]);
  }
  for (std::size_t lane = 0; i + lane < n; ++lane) add(lane, values[i + lane]);
  double sum = 0;
  for (double lane : lanes) sum += lane;
  return sum;
}

std::span<const float> block_of(std::span<const float> values, std::size_t block) {
  const std::size_t begin = block * kNormBlock;
  return values.subspan(begin, std::min(kNormBlock, values.size() - begin));
}

// Of a block that begins at element `begin` of its buffer. Only a block that loses elements is
// copied.
double square_sum(std::span<const float> block, std::size_t begin,
                  std::span<const ElementRange> left_out) {
  const std::size_t end = begin + block.size();
  auto range =
      std::ranges::partition_point(left_out, [&](const ElementRange& r) { return r.end <= begin; });
  if (range == left_out.end() || range->begin >= end) return square_sum(block.data(), block.size());
  std::array<float, kNormBlock> counted;
  std::ranges::copy(block, counted.begin());
  for (; range != left_out.end() && range->begin < end; ++range) {
    const std::size_t first = std::max(range->begin, begin), last = std::min(range->end, end);
    std::fill(counted.begin() + (first - begin), counted.begin() + (last - begin), 0.f);
  }
  return square_sum(counted.data(), block.size());
}

}  // namespace

void block_square_sums(std::span<const float> values, std::span<double> sums) {
  block_square_sums(values, {}, sums);
}

void block_square_sums(std::span<const float> values, std::span<const ElementRange> left_out,
                       std::span<double> sums) {
  EDT_ASSERT(sums.size() == norm_blocks(values.size()));
#pragma omp parallel for schedule(static)
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sums[i] = square_sum(block_of(values, i), i * kNormBlock, left_out);
  }
}

double norm_of(std::span<const double> sums) {
  double total = 0;
  for (double sum : sums) total += sum;
  return std::sqrt(total);
}

double clip_factor(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
}

}  // namespace edt
