#include "parallel/sharding/gradient_accumulator.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/base/error.h"
#include "parallel/sharding/flat_state.h"

namespace edt {
namespace {

int partial_sums_before(int index) { return std::popcount(static_cast<unsigned>(index)); }
int sums_completed_by(int index) { return std::countr_one(static_cast<unsigned>(index)); }

}  // namespace

GradientAccumulator::Place GradientAccumulator::place_of(int index) {
  return {partial_sums_before(index), sums_completed_by(index)};
}

GradientAccumulator::GradientAccumulator(Device& device, std::int64_t size, int count,
                                         Leaves leaves)
    : device_(device), count_(count) {
  require(count > 0 && std::has_single_bit(static_cast<unsigned>(count)), "tree sum",
          "{} micro-batches are not a power of two", count);
  const int depth = std::bit_width(static_cast<unsigned>(count)) - 1;
  const int needed = leaves == Leaves::kOwn ? depth + 1 : std::max(depth, 1);
  for (int i = 0; i < needed; ++i) buffers_.push_back(zeroed_floats(device, size));
}

std::span<float> GradientAccumulator::buffer(int level) const {
  const Block& block = buffers_[static_cast<std::size_t>(level)];
  return {static_cast<float*>(block.data()), block.bytes() / sizeof(float)};
}

std::span<float> GradientAccumulator::leaf(int index) const {
  EDT_ASSERT(index < count_);
  return buffer(partial_sums_before(index));
}

void GradientAccumulator::add(int index, const FlatRange& range) {
  add(index, range,
      leaf(index).subspan(static_cast<std::size_t>(range.begin),
                          static_cast<std::size_t>(range.elements())));
}

void GradientAccumulator::add(int index, const FlatRange& range, std::span<const float> values) {
  EDT_ASSERT(index < count_ && static_cast<std::int64_t>(values.size()) == range.elements());
  if (values.empty()) return;  // of a rank that owns nothing of a bucket
  const auto [open, merged] = place_of(index);
  const auto at = [&](int level) {
    return view_of(buffer(level).subspan(static_cast<std::size_t>(range.begin), values.size()),
                   {range.elements()});
  };
  const Tensor leaf{const_cast<float*>(values.data()), {range.elements()}, DType::kFloat32};
  if (merged == 0) {  // waits for the leaf after it
    if (const Tensor to = at(open); to.data != leaf.data) device_.copy(leaf, to);
    return;
  }
  constexpr std::size_t kMaxDepth = 31;
  std::array<Tensor, kMaxDepth> sums;
  for (int i = 0; i < merged; ++i) sums[static_cast<std::size_t>(i)] = at(open - merged + i);
  device_.fold(std::span(sums).first(static_cast<std::size_t>(merged)), leaf);
}

std::size_t GradientAccumulator::bytes() const {
  std::size_t bytes = 0;
  for (const Block& block : buffers_) bytes += block.bytes();
  return bytes;
}

}  // namespace edt
