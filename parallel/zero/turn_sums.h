// Sums over the ranks that come last: the replicas, and where there are none the shard group, which
// is then all ranks. What a rank has come to at the end of a turn (parallel/sharding/sum_tree.h) is
// reduced, on what the turns before have come to. With a wire that rounds once there are no turns:
// a rank sums all of its micro-batches first.
#pragma once

#include <optional>
#include <span>

#include "core/tensor/device.h"
#include "parallel/sharding/sum_tree.h"
#include "parallel/zero/error_feedback.h"
#include "parallel/zero/zero_context.h"

namespace edt {

class TurnSums {
 public:
  TurnSums(const ZeroContext& context, const SumShare& share);

  // What a rank sums by itself, and whether ranks meet after its micro-batch `index`.
  SumShare summed_before() const;
  bool meet_after(int index) const;

  // On the queue's thread, after micro-batch `index`, where ranks meet: `sum` is that of this rank
  // since they last met, of what `bucket` keeps, or, without replicas, of the whole bucket. After
  // the last one the kept part, with replicas all of it, is the sum of the step.
  void meet(const PlannedBucket& bucket, int index, const Tensor& sum);
  std::size_t bytes() const { return before_.bytes(); }
  std::size_t feedback_bytes() const { return feedback_ ? feedback_->bytes() : 0; }

 private:
  void add_turn(const PlannedBucket& bucket, int index, const Tensor& sum);
  std::span<const std::int64_t> bounds_of(const PlannedBucket& bucket) const {
    return context_.replicas != nullptr ? bucket.replica_bounds : bucket.bounds;
  }

  ZeroContext context_;
  Communicator* ranks_;
  SumShare share_;
  bool once_;     // ranks meet after the last micro-batch alone
  Block before_;  // of the turns before, this rank's own parts, packed; none: there is one turn
  std::optional<ErrorFeedback> feedback_;
};

// Of what this rank rounds; none: it is not asked for, or nothing travels.
std::optional<ErrorFeedback> make_feedback(const ZeroContext& context);
// How gradients travel within a shard group: as everywhere, but exactly where replicas meet in a
// wire that rounds once.
Wire wire_within(const ZeroContext& context);

}  // namespace edt
