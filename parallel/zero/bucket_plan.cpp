#include "parallel/zero/bucket_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "core/base/assert.h"

namespace edt {
namespace {

// Every `stride`-th of `ends`, from the first one.
std::vector<std::int64_t> from_first(std::span<const std::int64_t> ends, std::size_t stride) {
  std::vector<std::int64_t> bounds;
  for (std::size_t i = 0; i < ends.size(); i += stride) bounds.push_back(ends[i] - ends.front());
  return bounds;
}

}  // namespace

ShardGroups shard_groups(const ZeroConfig& config, int ranks) {
  if (config.stage == ZeroStage::kNone) return {1, ranks};
  const int size = config.shard_ranks == 0 ? ranks : config.shard_ranks;
  EDT_ASSERT(size > 0 && ranks % size == 0);
  return {size, ranks / size};
}

std::string text_of(const ZeroConfig& config) {
  std::string text = fmt::format("zero {}", static_cast<int>(config.stage));
  const bool is_cut = config.stage != ZeroStage::kNone && config.shard_ranks > 0;
  return is_cut ? text + fmt::format(" within {} ranks", config.shard_ranks) : text;
}

BucketPlan::BucketPlan(const FlatLayout& layout, const ZeroConfig& config, int rank, int ranks)
    : layout_(layout),
      rank_(rank),
      groups_(shard_groups(config, ranks)),
      bucket_of_(layout.tensors().size()) {
  const bool whole_gradients = config.stage < ZeroStage::kGradients;
  const auto buckets = whole_gradients ? layout.buckets(config.bucket_elements) : layout.groups();
  for (const FlatBucket& bucket : buckets) {
    for (std::size_t t = bucket.first; t < bucket.last; ++t) bucket_of_[t] = buckets_.size();
    const PlannedBucket& added = buckets_.emplace_back(planned(bucket));
    state_shard_.append(added.kept);
    own_shard_.append(added.own, added.kept_at + added.own.begin - added.kept.begin);
    own_elements_ += added.own.elements();
  }
}

// As many parts as there are ranks, of which the replicas of a part of the group hold neighbours.
PlannedBucket BucketPlan::planned(const FlatBucket& bucket) const {
  const std::vector<std::int64_t> ends = layout_.bounds(bucket, ranks());
  const auto replicas = static_cast<std::size_t>(groups_.count);
  const std::size_t first = static_cast<std::size_t>(groups_.place_of(rank_)) * replicas;
  const std::size_t own = first + static_cast<std::size_t>(groups_.group_of(rank_));
  return {.name = bucket.name,
          .first = bucket.first,
          .last = bucket.last,
          .range = bucket.range,
          .bounds = from_first(ends, replicas),
          .kept = {ends[first], ends[first + replicas]},
          .kept_at = state_shard_.elements(),
          .replica_bounds = from_first(std::span(ends).subspan(first, replicas + 1), 1),
          .own = {ends[own], ends[own + 1]},
          .own_at = own_elements_,
          .gradient_label = "gradients of " + bucket.name,
          .weight_label = "weights of " + bucket.name,
          .average_label = "moving average of " + bucket.name};
}

std::int64_t BucketPlan::largest() const {
  std::int64_t largest = 0;
  for (const PlannedBucket& bucket : buckets_) {
    largest = std::max(largest, bucket.range.elements());
  }
  return largest;
}

}  // namespace edt
