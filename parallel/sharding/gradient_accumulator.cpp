#include "parallel/sharding/gradient_accumulator.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/base/error.h"
#include "parallel/sharding/flat_state.h"

namespace edt {

// The last leaf of a turn finds as many partial sums as there can be, and one that waits for the
// leaf after it one less.
GradientAccumulator::GradientAccumulator(Device& device, std::int64_t size, const SumShare& share,
                                         Leaves leaves)
    : device_(device), share_(share) {
  EDT_ASSERT(share.turns > 0 && share.leaves > 0 &&
             std::has_single_bit(static_cast<unsigned>(share.leaves)));
  const int most = share.place_of(share.count() - 1).open;
  const int needed = leaves == Leaves::kOwn ? most + 1 : std::max(most, 1);
  for (int i = 0; i < needed; ++i) buffers_.push_back(zeroed_floats(device, size));
}

std::span<float> GradientAccumulator::buffer(int level) const {
  const Block& block = buffers_[static_cast<std::size_t>(level)];
  return {static_cast<float*>(block.data()), block.bytes() / sizeof(float)};
}

std::span<float> GradientAccumulator::leaf(int index) const {
  EDT_ASSERT(index < count());
  return buffer(share_.place_of(index).open);
}

void GradientAccumulator::add(int index, const FlatRange& range) {
  add(index, range,
      leaf(index).subspan(static_cast<std::size_t>(range.begin),
                          static_cast<std::size_t>(range.elements())));
}

void GradientAccumulator::add(int index, const FlatRange& range, std::span<const float> values) {
  EDT_ASSERT(index < count() && static_cast<std::int64_t>(values.size()) == range.elements());
  if (values.empty()) return;  // of a rank that owns nothing of a bucket
  const auto [open, merged, carries, last] = share_.place_of(index);
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
