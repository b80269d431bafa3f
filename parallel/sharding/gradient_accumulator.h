// Sums the gradients of micro-batches over the complete binary tree whose leaves are the
// micro-batches in order: ((0+1)+(2+3))+((4+5)+(6+7)). The sum then has the same bits however the
// micro-batches are spread over ranks, as every rank holds a subtree.
//
// A binary counter of buffers: after n leaves there is one partial sum for each bit set in n.
// Leaves come in order; the elements of one leaf may come in any number of ranges, each once.
#pragma once

#include <compare>
#include <span>
#include <vector>

#include "core/tensor/device.h"
#include "parallel/sharding/flat_layout.h"

namespace edt {

class GradientAccumulator {
 public:
  // Where leaves are before they are added: in leaf(), or in memory of the caller, which saves one
  // buffer.
  enum class Leaves { kOwn, kForeign };

  // `size` elements. `count`: number of leaves, a power of two.
  GradientAccumulator(Device& device, std::int64_t size, int count, Leaves leaves);

  // Where leaf `index` is written (Leaves::kOwn). Its old content means nothing: overwrite.
  std::span<float> leaf(int index) const;
  // Elements `range` of leaf `index` are there: adds them to the partial sums they complete.
  void add(int index, const FlatRange& range);
  // The same with the values of `range` elsewhere (Leaves::kForeign).
  void add(int index, const FlatRange& range, std::span<const float> values);

  // Leaves with the same place lie in the same memory and complete the same sums; no other leaf has
  // the place of the first, or of the last.
  struct Place {
    int open;    // partial sums before the leaf
    int merged;  // of them it completes
    auto operator<=>(const Place&) const = default;
  };
  static Place place_of(int index);

  // The sum, once all leaves are added.
  std::span<float> result() const { return buffer(0); }

  int count() const { return count_; }
  std::size_t bytes() const;

 private:
  std::span<float> buffer(int level) const;

  Device& device_;
  int count_;
  std::vector<Block> buffers_;
};

}  // namespace edt
