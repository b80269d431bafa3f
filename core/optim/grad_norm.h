// The global gradient norm from partial sums over fixed blocks of the flat buffer. Shards that
// begin at a multiple of kNormBlock give the same partial sums, hence the same norm, however many
// there are.
#pragma once

#include <cstddef>
#include <span>

namespace edt {

inline constexpr std::size_t kNormBlock = 4096;

constexpr std::size_t norm_blocks(std::size_t elements) {
  return (elements + kNormBlock - 1) / kNormBlock;
}

// sums[i] = sum of squares of block i, in double; sums has norm_blocks(values.size()) entries. The
// last block may be short: it gives the same bits as if padded with zeros.
void block_square_sums(std::span<const float> values, std::span<double> sums);

// Elements [begin, end) of a buffer.
struct ElementRange {
  std::size_t begin = 0, end = 0;
};

// As above with the elements of `left_out` (ascending, apart) counted as zero: copies of tensors
// that another rank counts.
void block_square_sums(std::span<const float> values, std::span<const ElementRange> left_out,
                       std::span<double> sums);

// sqrt of the sum of all blocks of the buffer, added in index order.
double norm_of(std::span<const double> sums);

// min(1, max_norm / (norm + 1e-6)) as in PyTorch's clip_grad_norm_; max_norm 0 means no clipping.
double clip_factor(double norm, double max_norm);

}  // namespace edt
