#include "parallel/zero/turn_sums.h"

#include "parallel/comm/rank_groups.h"
#include "parallel/comm/wire.h"
#include "parallel/sharding/flat_state.h"

namespace edt {

std::optional<ErrorFeedback> make_feedback(const ZeroContext& context) {
  if (!context.config.error_feedback || context.plan.ranks() == 1) return std::nullopt;
  const std::int64_t elements = context.replicas != nullptr ? context.plan.state_shard().elements()
                                                            : context.plan.layout().size();
  return ErrorFeedback(context.device, elements, context.config.reduce_dtype);
}

Wire wire_within(const ZeroContext& context) {
  const Wire wire = context.config.reduce_dtype;
  return context.replicas != nullptr && rounds_once(wire) ? Wire::kExact : wire;
}

TurnSums::TurnSums(const ZeroContext& context, const SumShare& share)
    : context_(context),
      ranks_(context.replicas != nullptr ? context.replicas : context.shard_ranks),
      share_(share),
      once_(share.turns == 1 || rounds_once(context.config.reduce_dtype)),
      feedback_(make_feedback(context)) {
  if (ranks_ == nullptr || once_) return;
  before_ = zeroed_floats(context.device, context.plan.own_elements());
}

SumShare TurnSums::summed_before() const { return once_ ? share_ : SumShare{1, share_.leaves}; }

bool TurnSums::meet_after(int index) const {
  return once_ ? index + 1 == share_.count() : share_.ends_turn(index);
}

void TurnSums::meet(const PlannedBucket& bucket, int index, const Tensor& sum) {
  const auto bounds = bounds_of(bucket);
  if (feedback_) {
    feedback_->apply(context_.replicas != nullptr ? bucket.kept_at : bucket.range.begin,
                     sum.span<float>());
  }
  if (once_) {
    ranks_->reduce_scatter_parts(sum, bounds, context_.config.reduce_dtype, bucket.gradient_label);
  } else {
    add_turn(bucket, index, sum);
  }
  const bool is_last = index + 1 == share_.count();
  if (is_last && context_.replicas != nullptr) {
    ranks_->all_gather_parts(sum, bounds, bucket.gradient_label);
  }
}

// Of several turns: on what the earlier ones have come to.
void TurnSums::add_turn(const PlannedBucket& bucket, int index, const Tensor& sum) {
  const Wire wire = context_.config.reduce_dtype;
  const auto bounds = bounds_of(bucket);
  ranks_->reduce_groups(sum, bounds, wire, bucket.gradient_label);
  const auto parts = group_parts(sum, bounds, ranks_->rank());
  const Tensor before{static_cast<float*>(before_.data()) + bucket.own_at,
                      {bucket.own.elements()},
                      DType::kFloat32};
  const bool is_first = index < share_.leaves, is_last = index + 1 == share_.count();
  ranks_->fold_groups(parts, is_first ? Tensor{} : before, wire, bucket.gradient_label);
  if (is_last || before.elements() == 0) return;
  const auto group = RankGroups::of(ranks_->size()).group_of(ranks_->rank());
  context_.queue.device().copy(parts[static_cast<std::size_t>(group)], before);
}

}  // namespace edt
