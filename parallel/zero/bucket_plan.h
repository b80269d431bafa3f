// Which tensors travel together, and which part of each bucket is this rank's. A bucket is cut over
// the ranks of a shard group; what each of them keeps is cut once more over its replicas, who each
// answer for a part of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "parallel/sharding/flat_layout.h"
#include "parallel/sharding/shard_groups.h"
#include "parallel/zero/zero_config.h"

namespace edt {

struct PlannedBucket {
  std::string name;
  std::size_t first = 0, last = 0;   // tensors
  FlatRange range;                   // in the flat layout
  std::vector<std::int64_t> bounds;  // of the shard group's parts, from the begin of the bucket
  FlatRange kept;                    // this rank's of them, in the flat layout: what it updates
  std::int64_t kept_at = 0;          // where it lies in the arrays of the state
  std::vector<std::int64_t> replica_bounds;  // of the replicas' parts, from the begin of `kept`
  FlatRange own;            // this rank's of them, in the flat layout: what it answers for
  std::int64_t own_at = 0;  // where it lies among these of all buckets, packed
  std::string gradient_label, weight_label, average_label;  // of its collectives
};

class BucketPlan {
 public:
  BucketPlan(const FlatLayout& layout, const ZeroConfig& config, int rank, int ranks);

  const FlatLayout& layout() const { return layout_; }
  const std::vector<PlannedBucket>& buckets() const { return buckets_; }
  const PlannedBucket& bucket(std::size_t i) const { return buckets_[i]; }
  std::size_t bucket_of(std::size_t tensor) const { return bucket_of_[tensor]; }
  int rank() const { return rank_; }
  int ranks() const { return groups_.size * groups_.count; }
  const ShardGroups& groups() const { return groups_; }
  // Whether each rank keeps all of master weights, optimizer state and moving average. It follows
  // from the configuration and the number of ranks, so all ranks say the same. What a rank owns
  // says nothing: a part may be all of a layout, or none of it, and collectives are entered all the
  // same.
  bool state_is_whole() const { return groups_.size == 1; }
  // What this rank keeps of all buckets, packed: what the arrays of the state hold.
  const FlatShard& state_shard() const { return state_shard_; }
  // What it answers for, and where that lies in these arrays. All ranks together: the layout, once.
  const FlatShard& own_shard() const { return own_shard_; }
  std::int64_t own_elements() const { return own_elements_; }
  std::int64_t largest() const;  // elements of a bucket

 private:
  PlannedBucket planned(const FlatBucket& bucket) const;

  FlatLayout layout_;
  int rank_;
  ShardGroups groups_;
  std::vector<PlannedBucket> buckets_;
  std::vector<std::size_t> bucket_of_;
  FlatShard state_shard_, own_shard_;
  std::int64_t own_elements_ = 0;
};

// How `ranks` are grouped: below stage kOptimizer there is nothing to share.
ShardGroups shard_groups(const ZeroConfig& config, int ranks);
// "zero 3", "zero 3 within 8 ranks"
std::string text_of(const ZeroConfig& config);

}  // namespace edt
