// Where parts of gradients are summed (from stage kGradients on): the gradient of a bucket of one
// micro-batch, which all ranks of a shard group have at the same time, is reduced over them, and
// each rank keeps sums over micro-batches of its part.
//
// Groups of ranks (parallel/comm/rank_groups.h) sum other runs of micro-batches. One of all ranks:
// a rank keeps sums of its own part. Several in a shard group of all ranks: it keeps those of its
// group for the parts of its counterparts too, and at the end of each turn
// (parallel/sharding/sum_tree.h) the groups' sums meet. Where parts have replicas a rank keeps sums
// of its part, and those of the replicas meet at the end of a turn.
#pragma once

#include <memory>
#include <span>

#include "parallel/sharding/sum_tree.h"
#include "parallel/zero/zero_context.h"

namespace edt {

class PartSums {
 public:
  virtual ~PartSums() = default;

  // On the queue's thread: the gradient of bucket `bucket` of this rank's micro-batch `index`,
  // which is used up. Micro-batches come in order. All ranks call it alike.
  virtual void add(std::size_t bucket, int index, std::span<float> values) = 0;
  // The sums of this rank's parts, as the state has them, once all micro-batches are added.
  virtual std::span<float> kept() const = 0;
  virtual std::size_t bytes() const = 0;
  virtual std::size_t feedback_bytes() const { return 0; }
};

std::unique_ptr<PartSums> make_part_sums(const ZeroContext& context, const SumShare& share);

}  // namespace edt
