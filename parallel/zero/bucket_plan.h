// Which tensors travel together, and which part of each bucket is this rank's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "parallel/sharding/flat_layout.h"
#include "parallel/zero/zero_config.h"

namespace edt {

struct PlannedBucket {
  std::string name;
  std::size_t first = 0, last = 0;   // tensors
  FlatRange range;                   // in the flat layout
  std::vector<std::int64_t> bounds;  // of the ranks' parts, from the begin of the bucket
  FlatRange own;                     // this rank's part, in the flat layout
  std::int64_t packed = 0;           // where it lies among this rank's parts
  FlatRange kept;                    // what this rank updates: its part, or everything
  std::int64_t kept_at = 0;          // where it lies in the arrays of the state
  std::string gradient_label, weight_label, average_label;  // of its collectives
};

class BucketPlan {
 public:
  BucketPlan(const FlatLayout& layout, const ZeroConfig& config, int rank, int ranks);

  const FlatLayout& layout() const { return layout_; }
  const std::vector<PlannedBucket>& buckets() const { return buckets_; }
  const PlannedBucket& bucket(std::size_t i) const { return buckets_[i]; }
  std::size_t bucket_of(std::size_t tensor) const { return bucket_of_[tensor]; }
  // This rank's parts of all buckets, packed.
  const FlatShard& shard() const { return shard_; }
  // Whether each rank keeps all of master weights, optimizer state and moving average. It follows
  // from the stage and the number of ranks, so all ranks say the same. What a rank owns says
  // nothing: a part may be all of a layout, or none of it, and collectives are entered all the
  // same.
  bool state_is_whole() const { return state_is_whole_; }
  // What the arrays of the state hold, and this rank's parts in them: what it saves.
  const FlatShard& state_shard() const { return state_shard_; }
  FlatShard saved_shard() const;
  std::int64_t largest() const;  // elements of a bucket
  int ranks() const { return ranks_; }

 private:
  FlatLayout layout_;
  int ranks_;
  bool state_is_whole_;
  std::vector<PlannedBucket> buckets_;
  std::vector<std::size_t> bucket_of_;
  FlatShard shard_, state_shard_;
};

}  // namespace edt
