#include "parallel/zero/bucket_plan.h"

#include <algorithm>

namespace edt {

BucketPlan::BucketPlan(const FlatLayout& layout, const ZeroConfig& config, int rank, int ranks)
    : layout_(layout),
      ranks_(ranks),
      state_is_whole_(config.stage == ZeroStage::kNone || ranks == 1),
      bucket_of_(layout.tensors().size()) {
  const bool whole_gradients = config.stage < ZeroStage::kGradients;
  const auto buckets = whole_gradients ? layout.buckets(config.bucket_elements) : layout.groups();
  shard_ = layout.shard(buckets, rank, ranks);
  state_shard_ = state_is_whole_ ? layout.whole() : shard_;
  std::int64_t packed = 0;
  for (const FlatBucket& bucket : buckets) {
    PlannedBucket planned{.name = bucket.name,
                          .first = bucket.first,
                          .last = bucket.last,
                          .range = bucket.range,
                          .bounds = layout.bounds(bucket, ranks),
                          .packed = packed,
                          .gradient_label = "gradients of " + bucket.name,
                          .weight_label = "weights of " + bucket.name,
                          .average_label = "moving average of " + bucket.name};
    const auto i = static_cast<std::size_t>(rank);
    planned.own = {planned.bounds[i], planned.bounds[i + 1]};
    planned.kept = state_is_whole_ ? planned.range : planned.own;
    planned.kept_at = state_is_whole_ ? planned.range.begin : packed;
    packed += planned.own.elements();
    for (std::int64_t& bound : planned.bounds) bound -= bucket.range.begin;
    for (std::size_t t = bucket.first; t < bucket.last; ++t) bucket_of_[t] = buckets_.size();
    buckets_.push_back(std::move(planned));
  }
}

FlatShard BucketPlan::saved_shard() const {
  FlatShard saved = shard_;
  if (!state_is_whole_) return saved;
  for (FlatShard::Part& part : saved.parts) part.offset = part.range.begin;
  return saved;
}

std::int64_t BucketPlan::largest() const {
  std::int64_t largest = 0;
  for (const PlannedBucket& bucket : buckets_) {
    largest = std::max(largest, bucket.range.elements());
  }
  return largest;
}

}  // namespace edt
