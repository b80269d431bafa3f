#include "parallel/zero/part_sums.h"

#include <optional>

#include "parallel/comm/rank_groups.h"
#include "parallel/sharding/flat_state.h"
#include "parallel/sharding/gradient_accumulator.h"

namespace edt {
namespace {

using Leaves = GradientAccumulator::Leaves;

Tensor whole_of(const PlannedBucket& bucket, std::span<float> values) {
  return view_of(values.first(static_cast<std::size_t>(bucket.range.elements())),
                 {bucket.range.elements()});
}

Tensor own_part(const PlannedBucket& bucket, const Tensor& whole) {
  return whole.slice(bucket.own.begin - bucket.range.begin, bucket.own.end - bucket.range.begin);
}

class SumsOfOneGroup final : public PartSums {
 public:
  SumsOfOneGroup(const ZeroContext& context, const SumShare& share)
      : context_(context),
        sums_(context.queue.device(), context.plan.shard().elements(), share, Leaves::kForeign) {}

  void add(std::size_t bucket, int index, std::span<float> values) override {
    const PlannedBucket& planned = context_.plan.bucket(bucket);
    const Tensor whole = whole_of(planned, values);
    if (context_.plan.ranks() > 1) {
      context_.ranks.reduce_scatter_parts(whole, planned.bounds, context_.config.reduce_dtype,
                                          planned.gradient_label);
    }
    sums_.add(index, {planned.packed, planned.packed + planned.own.elements()},
              own_part(planned, whole).span<float>());
  }

  std::span<float> own() const override { return sums_.result(); }
  std::size_t bytes() const override { return sums_.bytes(); }

 private:
  ZeroContext context_;
  GradientAccumulator sums_;
};

class SumsOfGroups final : public PartSums {
 public:
  SumsOfGroups(const ZeroContext& context, const SumShare& share)
      : context_(context),
        share_(share),
        groups_(RankGroups::of(context.plan.ranks())),
        own_(zeroed_floats(context.queue.device(), context.plan.shard().elements())) {
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
      context_.ranks.reduce_scatter_parts(whole, planned.bounds, wire, planned.gradient_label);
      return keep(planned, own_part(planned, whole));
    }
    context_.ranks.reduce_groups(whole, planned.bounds, wire, planned.gradient_label);
    std::vector<Tensor> parts = group_parts(whole, planned.bounds, context_.ranks.rank());
    if (of_group_) parts = add_to_group(bucket, index % share_.leaves, parts);
    if (!share_.ends_turn(index)) return;
    const Tensor before = index < share_.leaves ? Tensor{} : sum_of(planned);
    context_.ranks.fold_groups(parts, before, wire, planned.gradient_label);
    keep(planned, parts[static_cast<std::size_t>(groups_.group_of(context_.ranks.rank()))]);
  }

  std::span<float> own() const override {
    return {static_cast<float*>(own_.data()), own_.bytes() / sizeof(float)};
  }
  std::size_t bytes() const override { return own_.bytes() + (of_group_ ? of_group_->bytes() : 0); }

 private:
  std::int64_t part_size(const PlannedBucket& bucket, int group) const {
    const auto r = static_cast<std::size_t>(groups_.counterpart(context_.ranks.rank(), group));
    return bucket.bounds[r + 1] - bucket.bounds[r];
  }

  // Adds leaf `leaf` of a turn to what is kept for each group; where the sums are.
  std::vector<Tensor> add_to_group(std::size_t bucket, int leaf, const std::vector<Tensor>& parts) {
    std::vector<Tensor> sums;
    std::int64_t at = kept_at_[bucket];
    for (const Tensor& part : parts) {
      const auto count = static_cast<std::size_t>(part.elements());
      of_group_->add(leaf, {at, at + part.elements()}, part.span<float>());
      sums.push_back(view_of(of_group_->result().subspan(static_cast<std::size_t>(at), count),
                             {part.elements()}));
      at += part.elements();
    }
    return sums;
  }

  Tensor sum_of(const PlannedBucket& bucket) const {
    const auto count = static_cast<std::size_t>(bucket.own.elements());
    return view_of(own().subspan(static_cast<std::size_t>(bucket.packed), count),
                   {bucket.own.elements()});
  }
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

}  // namespace

std::unique_ptr<PartSums> make_part_sums(const ZeroContext& context, const SumShare& share) {
  if (RankGroups::of(context.plan.ranks()).count == 1) {
    return std::make_unique<SumsOfOneGroup>(context, share);
  }
  return std::make_unique<SumsOfGroups>(context, share);
}

}  // namespace edt
