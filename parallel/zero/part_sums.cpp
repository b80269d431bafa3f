#include "parallel/zero/part_sums.h"

#include <optional>

#include "parallel/comm/rank_groups.h"
#include "parallel/comm/wire.h"
#include "parallel/sharding/flat_state.h"
#include "parallel/sharding/gradient_accumulator.h"
#include "parallel/zero/turn_sums.h"

namespace edt {
namespace {

using Leaves = GradientAccumulator::Leaves;

Tensor whole_of(const PlannedBucket& bucket, std::span<float> values) {
  return view_of(values.first(static_cast<std::size_t>(bucket.range.elements())),
                 {bucket.range.elements()});
}

Tensor kept_part(const PlannedBucket& bucket, const Tensor& whole) {
  return whole.slice(bucket.kept.begin - bucket.range.begin, bucket.kept.end - bucket.range.begin);
}

// Where it lies in the arrays of the state.
FlatRange place_of(const PlannedBucket& bucket) {
  return {bucket.kept_at, bucket.kept_at + bucket.kept.elements()};
}

Tensor sums_at(std::span<float> sums, const FlatRange& place) {
  const auto count = static_cast<std::size_t>(place.elements());
  return view_of(sums.subspan(static_cast<std::size_t>(place.begin), count), {place.elements()});
}

// This rank's part becomes the sum over its shard group.
void reduce(const ZeroContext& context, const PlannedBucket& bucket, const Tensor& whole) {
  if (context.shard_ranks == nullptr) return;
  context.shard_ranks->reduce_scatter_parts(whole, bucket.bounds, wire_within(context),
                                            bucket.gradient_label);
}

// Of several groups, too, with a wire that rounds once.
class SumsOfOneGroup final : public PartSums {
 public:
  SumsOfOneGroup(const ZeroContext& context, const SumShare& share)
      : context_(context),
        feedback_(make_feedback(context)),
        sums_(context.queue.device(), context.plan.state_shard().elements(), share,
              Leaves::kForeign) {}

  void add(std::size_t bucket, int index, std::span<float> values) override {
    const PlannedBucket& planned = context_.plan.bucket(bucket);
    const Tensor whole = whole_of(planned, values);
    if (feedback_) feedback_->apply(planned.range.begin, whole.span<float>());
    reduce(context_, planned, whole);
    sums_.add(index, place_of(planned), kept_part(planned, whole).span<float>());
  }

  std::span<float> kept() const override { return sums_.result(); }
  std::size_t bytes() const override { return sums_.bytes(); }
  std::size_t feedback_bytes() const override { return feedback_ ? feedback_->bytes() : 0; }

 private:
  ZeroContext context_;
  std::optional<ErrorFeedback> feedback_;
  GradientAccumulator sums_;
};

class SumsOfGroups final : public PartSums {
 public:
  SumsOfGroups(const ZeroContext& context, const SumShare& share)
      : context_(context),
        share_(share),
        groups_(RankGroups::of(context.plan.ranks())),
        own_(zeroed_floats(context.queue.device(), context.plan.state_shard().elements())) {
    if (share.leaves == 1) return;  // each micro-batch ends a turn
    std::int64_t kept = 0;
    for (const PlannedBucket& bucket : context.plan.buckets()) {
      kept_at_.push_back(kept);
      for (int group = 0; group < groups_.count; ++group) kept += part_size(bucket, group);
    }
    of_group_.emplace(context.queue.device(), kept, SumShare{1, share.leaves}, Leaves::kForeign);
  }

  void add(std::size_t bucket, int index, std::span<float> values) override {
    const PlannedBucket& planned = context_.plan.bucket(bucket);
    const Tensor whole = whole_of(planned, values);
    const Wire wire = context_.config.reduce_dtype;
    if (share_.count() == 1) {
      reduce(context_, planned, whole);
      return keep(planned, kept_part(planned, whole));
    }
    ranks().reduce_groups(whole, planned.bounds, wire, planned.gradient_label);
    std::vector<Tensor> parts = group_parts(whole, planned.bounds, ranks().rank());
    if (of_group_) parts = add_to_group(bucket, index % share_.leaves, parts);
    if (!share_.ends_turn(index)) return;
    const Tensor before = index < share_.leaves ? Tensor{} : sum_of(planned);
    ranks().fold_groups(parts, before, wire, planned.gradient_label);
    keep(planned, parts[static_cast<std::size_t>(groups_.group_of(ranks().rank()))]);
  }

  std::span<float> kept() const override {
    return {static_cast<float*>(own_.data()), own_.bytes() / sizeof(float)};
  }
  std::size_t bytes() const override { return own_.bytes() + (of_group_ ? of_group_->bytes() : 0); }

 private:
  Communicator& ranks() const { return *context_.shard_ranks; }
  std::int64_t part_size(const PlannedBucket& bucket, int group) const {
    const auto r = static_cast<std::size_t>(groups_.counterpart(ranks().rank(), group));
    return bucket.bounds[r + 1] - bucket.bounds[r];
  }

  // Adds leaf `leaf` of a turn to what is kept for each group; where the sums are.
  std::vector<Tensor> add_to_group(std::size_t bucket, int leaf, const std::vector<Tensor>& parts) {
    std::vector<Tensor> sums;
    std::int64_t at = kept_at_[bucket];
    for (const Tensor& part : parts) {
      const FlatRange place{at, at + part.elements()};
      of_group_->add(leaf, place, part.span<float>());
      sums.push_back(sums_at(of_group_->result(), place));
      at += part.elements();
    }
    return sums;
  }

  Tensor sum_of(const PlannedBucket& bucket) const { return sums_at(kept(), place_of(bucket)); }
  void keep(const PlannedBucket& bucket, const Tensor& sum) {
    if (sum.elements() > 0) context_.queue.device().copy(sum, sum_of(bucket));
  }

  ZeroContext context_;
  SumShare share_;
  RankGroups groups_;
  Block own_;
  std::vector<std::int64_t> kept_at_;  // of each bucket, in of_group_
  std::optional<GradientAccumulator> of_group_;
};

class SumsOfReplicas final : public PartSums {
 public:
  SumsOfReplicas(const ZeroContext& context, const SumShare& share)
      : context_(context),
        turns_(context, share),
        sums_(context.queue.device(), context.plan.state_shard().elements(), turns_.summed_before(),
              Leaves::kForeign) {}

  void add(std::size_t bucket, int index, std::span<float> values) override {
    const PlannedBucket& planned = context_.plan.bucket(bucket);
    const Tensor whole = whole_of(planned, values);
    reduce(context_, planned, whole);
    sums_.add(index % sums_.count(), place_of(planned), kept_part(planned, whole).span<float>());
    if (turns_.meet_after(index)) {
      turns_.meet(planned, index, sums_at(sums_.result(), place_of(planned)));
    }
  }

  std::span<float> kept() const override { return sums_.result(); }
  std::size_t bytes() const override { return sums_.bytes() + turns_.bytes(); }
  std::size_t feedback_bytes() const override { return turns_.feedback_bytes(); }

 private:
  ZeroContext context_;
  TurnSums turns_;
  GradientAccumulator sums_;
};

}  // namespace

std::unique_ptr<PartSums> make_part_sums(const ZeroContext& context, const SumShare& share) {
  if (context.replicas != nullptr) return std::make_unique<SumsOfReplicas>(context, share);
  const bool one_group = RankGroups::of(context.plan.ranks()).count == 1;
  if (one_group || rounds_once(context.config.reduce_dtype)) {
    return std::make_unique<SumsOfOneGroup>(context, share);
  }
  return std::make_unique<SumsOfGroups>(context, share);
}

}  // namespace edt
