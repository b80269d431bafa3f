// Sums the gradients of micro-batches over their tree (sum_tree.h), or a rank's share of it. The
// sum then has the same bits however the micro-batches are spread over ranks, as every rank holds
// subtrees.
//
// Buffers as a binary counter has bits, behind one for the turns before. Leaves come in order; the
// elements of one leaf may come in any number of ranges, each once.
#pragma once

#include <span>
#include <vector>

#include "core/tensor/device.h"
#include "parallel/sharding/flat_layout.h"
#include "parallel/sharding/sum_tree.h"

namespace edt {

class GradientAccumulator {
 public:
  // Where leaves are before they are added: in leaf(), or in memory of the caller, which saves one
  // buffer.
  enum class Leaves { kOwn, kForeign };

  // `size` elements; the leaves are those of `share`.
  GradientAccumulator(Device& device, std::int64_t size, const SumShare& share, Leaves leaves);

  // Where leaf `index` is written (Leaves::kOwn). Its old content means nothing: overwrite.
  std::span<float> leaf(int index) const;
  // Elements `range` of leaf `index` are there: adds them to the partial sums they complete.
  void add(int index, const FlatRange& range);
  // The same with the values of `range` elsewhere (Leaves::kForeign).
  void add(int index, const FlatRange& range, std::span<const float> values);

  // The sum, once all leaves are added.
  std::span<float> result() const { return buffer(0); }

  int count() const { return share_.count(); }
  std::size_t bytes() const;

 private:
  std::span<float> buffer(int level) const;

  Device& device_;
  SumShare share_;
  std::vector<Block> buffers_;
};

}  // namespace edt
