// The gradients of one step: where backward writes them, how they are summed over micro-batches and
// ranks, and the part of the sum that this rank ends with. Every sum is over the tree of the global
// batch's micro-batches (parallel/sharding/sum_tree.h).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "parallel/sharding/flat_state.h"
#include "parallel/zero/zero_context.h"

namespace edt {

class Gradients {
 public:
  virtual ~Gradients() = default;

  // Micro-batches of the global batch that this rank computes, in order.
  virtual std::vector<std::int64_t> micro_batches(std::int64_t global) const = 0;

  // The `index`-th micro-batch of this rank begins.
  virtual void begin_micro_batch(int index) = 0;
  // Points grad of the tensors of `bucket` at memory for this micro-batch.
  virtual void provide(std::size_t bucket) = 0;
  // All gradients of `bucket` are final for this micro-batch.
  virtual void bucket_final(std::size_t bucket) = 0;

  // This rank's part of the sum, once the queue has nothing left to do. Where every rank has the
  // whole sum it is still the part that this rank answers for.
  virtual std::span<float> own(std::size_t bucket) const = 0;
  // The sum for all that this rank updates (PlannedBucket::kept).
  virtual std::span<float> kept(std::size_t bucket) const = 0;

  virtual std::vector<MemoryUse> bytes_by_category() const = 0;
};

// Whole gradients on each rank (stages kNone and kOptimizer): in a turn a rank takes neighbouring
// micro-batches, sums them, and the sums are reduced once.
std::unique_ptr<Gradients> make_whole_gradients(const ZeroContext& context, int micro_batches);
// Parts of gradients (from kGradients on): the ranks of a group take micro-batches one by one, each
// is reduced as soon as a bucket is final, and the parts are summed (part_sums.h).
std::unique_ptr<Gradients> make_sharded_gradients(const ZeroContext& context, int micro_batches);

}  // namespace edt
