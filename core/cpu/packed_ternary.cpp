#include "core/cpu/packed_ternary.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/assert.h"
#include "core/cpu/parallel.h"
#include "core/cpu/ternary_rows.h"
#include "core/ops/ternary_packer.h"

namespace edt {
namespace {

constexpr std::int64_t kGroup = kTernaryGroup;

// -1, 0 or 1 in the two bits of input j.
std::uint32_t code(float value, std::int64_t j) {
  const std::uint32_t digit = value == 0 ? 0u : value > 0 ? 1u : 3u;
  return digit << (2 * j);
}

}  // namespace

PackedTernary::PackedTernary(const Tensor& weight)
    : outputs_(weight.shape[0]),
      inputs_(weight.shape[1]),
      words_(
          static_cast<std::size_t>(ternary_groups(outputs_) * ternary_groups(inputs_) * kGroup)) {
  std::vector<float> row(static_cast<std::size_t>(inputs_));
  for (std::int64_t n = 0; n < outputs_; ++n) {
    convert(Span{weight.data, weight.dtype}.from(n * inputs_), {row.data()}, inputs_);
    for (std::int64_t k = 0; k < inputs_; ++k) {
      const float value = row[static_cast<std::size_t>(k)];
      if (scale_ == 0) scale_ = std::abs(value);  // may be none: so is every product then
      EDT_ASSERT(value == 0 || std::abs(value) == scale_ || std::isnan(value));
      const std::int64_t group = n / kGroup * ternary_groups(inputs_) + k / kGroup;
      words_[static_cast<std::size_t>(group * kGroup + n % kGroup)] |= code(value, k % kGroup);
    }
  }
}

void PackedTernary::multiply(const Matrix& x, const Matrix& y, bool accumulate,
                             Scratch& scratch) const {
  const std::int64_t stride = ternary_groups(inputs_) * kGroup;
  float* rows = scratch.floats(Slot::kTernaryRows, x.rows * stride);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    convert(x.span.from(r * x.stride), {rows + r * stride}, inputs_);
    std::fill_n(rows + r * stride + inputs_, stride - inputs_, 0.f);
  }
  const std::int64_t grain = std::max<std::int64_t>(1, 65536 / (stride * x.rows));
  parallel_ranges(ternary_groups(outputs_), grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) multiply_group(b, rows, y, accumulate);
  });
}

void PackedTernary::multiply_group(std::int64_t group, const float* rows, const Matrix& y,
                                   bool accumulate) const {
  const std::int64_t groups = ternary_groups(inputs_), stride = groups * kGroup;
  const std::int64_t first = group * kGroup, count = std::min(kGroup, outputs_ - first);
  std::array<float, kMostRows * kGroup> sums;
  for (std::int64_t begin = 0; begin < y.rows; begin += kMostRows) {
    const std::int64_t some = std::min(kMostRows, y.rows - begin);
    ternary_products(rows + begin * stride, some, words_.data() + group * stride, groups,
                     sums.data());
    for (std::int64_t r = 0; r < some; ++r) {
      float* to = static_cast<float*>(y.span.data) + (begin + r) * y.stride + first;
      for (std::int64_t n = 0; n < count; ++n) {
        const float product = scale_ * sums[static_cast<std::size_t>(r * kGroup + n)];
        to[n] = accumulate ? to[n] + product : product;
      }
    }
  }
}

}  // namespace edt
