#include "parallel/tree_accumulate.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/base/error.h"
#include "parallel/flat_buffers.h"

namespace edt {
namespace {

// first += (... + (buffer[n-2] + buffer[n-1])): all additions that one leaf triggers, in one pass
// over memory.
void fold(std::span<const std::span<float>> buffers) {
  constexpr std::size_t kChunk = 2048;  // stays in the first-level cache
  const std::size_t size = buffers.front().size();
#pragma omp parallel for schedule(static)
  for (std::size_t begin = 0; begin < size; begin += kChunk) {
    const std::size_t count = std::min(kChunk, size - begin);
    std::array<float, kChunk> sum;
    std::copy_n(buffers.back().data() + begin, count, sum.begin());
    for (std::size_t level = buffers.size() - 2; level > 0; --level) {
      const float* left = buffers[level].data() + begin;
      for (std::size_t i = 0; i < count; ++i) sum[i] = left[i] + sum[i];
    }
    float* result = buffers.front().data() + begin;
    for (std::size_t i = 0; i < count; ++i) result[i] += sum[i];
  }
}

}  // namespace

TreeAccumulator::TreeAccumulator(Memory& memory, std::span<float> result, int leaves)
    : leaves_(leaves), buffers_{result} {
  require(leaves > 0 && std::has_single_bit(static_cast<unsigned>(leaves)), "tree sum",
          "{} micro-batches are not a power of two", leaves);
  const int depth = std::bit_width(static_cast<unsigned>(leaves)) - 1;
  for (int i = 0; i < depth; ++i) {
    owned_.push_back(zeroed_floats(memory, static_cast<std::int64_t>(result.size())));
    buffers_.emplace_back(static_cast<float*>(owned_.back().data()), result.size());
  }
}

void TreeAccumulator::reset() { added_ = open_ = 0; }

std::span<float> TreeAccumulator::leaf() const {
  EDT_ASSERT(!complete());
  return buffers_[static_cast<std::size_t>(open_)];
}

void TreeAccumulator::add() {
  EDT_ASSERT(!complete());
  ++added_;
  const int merges = std::countr_zero(static_cast<unsigned>(added_));
  const std::span<const std::span<float>> all(buffers_);
  if (merges > 0) {
    fold(all.subspan(static_cast<std::size_t>(open_ - merges),
                     static_cast<std::size_t>(merges) + 1));
  }
  open_ += 1 - merges;
}

std::span<float> TreeAccumulator::result() const {
  EDT_ASSERT(complete());
  return buffers_.front();
}

std::size_t TreeAccumulator::bytes() const {
  std::size_t bytes = 0;
  for (const Block& block : owned_) bytes += block.bytes();
  return bytes;
}

}  // namespace edt
