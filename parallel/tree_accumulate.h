// Sums the gradients of micro-batches over the complete binary tree whose leaves are the
// micro-batches in order: ((0+1)+(2+3))+((4+5)+(6+7)). The sum then has the same bits however the
// micro-batches are spread over ranks, as every rank holds a subtree.
//
// A binary counter of buffers: after n leaves there is one partial sum for each bit set in n. So
// log2(leaves) + 1 buffers are enough, and the result grows in the first, which the caller owns.
#pragma once

#include <span>
#include <vector>

#include "core/tensor/memory.h"

namespace edt {

class TreeAccumulator {
 public:
  // `leaves`: a power of two. `result`: the first buffer; holds the sum in the end.
  TreeAccumulator(Memory& memory, std::span<float> result, int leaves);

  // Begins a new sum.
  void reset();
  // Where the next micro-batch writes its gradient. Its old content is not a gradient: overwrite.
  // Elements that no micro-batch writes are zero and stay zero.
  std::span<float> leaf() const;
  // That gradient is there: adds it to the partial sums its arrival completes.
  void add();
  bool complete() const { return added_ == leaves_; }
  // The sum of all leaves, once complete.
  std::span<float> result() const;

  int leaves() const { return leaves_; }
  // Memory beside `result`.
  std::size_t bytes() const;

 private:
  int leaves_;
  int added_ = 0;
  int open_ = 0;  // partial sums in buffers_[0..open_)
  std::vector<Block> owned_;
  std::vector<std::span<float>> buffers_;
};

}  // namespace edt
