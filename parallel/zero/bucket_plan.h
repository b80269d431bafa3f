// Which tensors travel together, and which part of each bucket is this rank's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "parallel/flat_layout.h"
#include "parallel/zero/zero_config.h"

namespace edt {

struct PlannedBucket {
  std::string name;
  std::size_t first = 0, last = 0;           // tensors
  FlatRange range;                           // in the flat layout
  std::vector<std::int64_t> bounds;          // of the ranks' parts, from the begin of the bucket
  FlatRange own;                             // this rank's part, in the flat layout
  std::int64_t packed = 0;                   // where it lies in the packed shard
  std::string gradient_label, weight_label;  // of its collectives
};

class BucketPlan {
 public:
  BucketPlan(const FlatLayout& layout, const ZeroConfig& config, int rank, int ranks);

  const FlatLayout& layout() const { return layout_; }
  const std::vector<PlannedBucket>& buckets() const { return buckets_; }
  const PlannedBucket& bucket(std::size_t i) const { return buckets_[i]; }
  std::size_t bucket_of(std::size_t tensor) const { return bucket_of_[tensor]; }
  // This rank's parts of all buckets.
  const FlatShard& shard() const { return shard_; }
  std::int64_t largest() const;  // elements of a bucket
  int ranks() const { return ranks_; }

 private:
  FlatLayout layout_;
  int ranks_;
  std::vector<PlannedBucket> buckets_;
  std::vector<std::size_t> bucket_of_;
  FlatShard shard_;
};

}  // namespace edt
