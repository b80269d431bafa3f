#include "parallel/tree_accumulate.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/base/error.h"
#include "parallel/flat_state.h"

namespace edt {
namespace {

// sums[0] += (sums[1] + (... + (sums.back() + last))): all additions that one leaf triggers, in one
// pass over memory.
void fold(std::span<float* const> sums, std::span<const float> last) {
  constexpr std::size_t kChunk = 2048;  // stays in the first-level cache
  const std::size_t size = last.size();
#pragma omp parallel for schedule(static)
  for (std::size_t begin = 0; begin < size; begin += kChunk) {
    const std::size_t count = std::min(kChunk, size - begin);
    std::array<float, kChunk> sum;
    std::copy_n(last.data() + begin, count, sum.begin());
    for (std::size_t level = sums.size() - 1; level > 0; --level) {
      const float* left = sums[level] + begin;
      for (std::size_t i = 0; i < count; ++i) sum[i] = left[i] + sum[i];
    }
    float* result = sums[0] + begin;
    for (std::size_t i = 0; i < count; ++i) result[i] += sum[i];
  }
}

int partial_sums_before(int index) { return std::popcount(static_cast<unsigned>(index)); }
int sums_completed_by(int index) { return std::countr_one(static_cast<unsigned>(index)); }

}  // namespace

TreeAccumulator::TreeAccumulator(Memory& memory, std::int64_t size, int count, Leaves leaves)
    : count_(count) {
  require(count > 0 && std::has_single_bit(static_cast<unsigned>(count)), "tree sum",
          "{} micro-batches are not a power of two", count);
  const int depth = std::bit_width(static_cast<unsigned>(count)) - 1;
  const int needed = leaves == Leaves::kOwn ? depth + 1 : std::max(depth, 1);
  for (int i = 0; i < needed; ++i) buffers_.push_back(zeroed_floats(memory, size));
}

std::span<float> TreeAccumulator::buffer(int level) const {
  const Block& block = buffers_[static_cast<std::size_t>(level)];
  return {static_cast<float*>(block.data()), block.bytes() / sizeof(float)};
}

std::span<float> TreeAccumulator::leaf(int index) const {
  EDT_ASSERT(index < count_);
  return buffer(partial_sums_before(index));
}

void TreeAccumulator::add(int index, const FlatRange& range) {
  add(index, range,
      leaf(index).subspan(static_cast<std::size_t>(range.begin),
                          static_cast<std::size_t>(range.elements())));
}

void TreeAccumulator::add(int index, const FlatRange& range, std::span<const float> values) {
  EDT_ASSERT(index < count_ && static_cast<std::int64_t>(values.size()) == range.elements());
  const int open = partial_sums_before(index), merged = sums_completed_by(index);
  if (merged == 0) {  // waits for the leaf after it
    float* to = buffer(open).data() + range.begin;
    if (to != values.data()) std::ranges::copy(values, to);
    return;
  }
  constexpr std::size_t kMaxDepth = 31;
  std::array<float*, kMaxDepth> sums{};
  for (int i = 0; i < merged; ++i) {
    sums[static_cast<std::size_t>(i)] = buffer(open - merged + i).data() + range.begin;
  }
  fold(std::span(sums).first(static_cast<std::size_t>(merged)), values);
}

std::size_t TreeAccumulator::bytes() const {
  std::size_t bytes = 0;
  for (const Block& block : buffers_) bytes += block.bytes();
  return bytes;
}

}  // namespace edt
