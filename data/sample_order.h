// The order of samples: a function of (seed, epoch, position) alone. Global positions count samples
// over all epochs, so one number says where a run stands.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/random/permutation.h"
#include "data/holdout.h"

namespace edt::data {

enum class OrderMode : std::uint8_t {
  kGlobal,      // a permutation of the whole data set
  kShardLocal,  // shards shuffled, then samples shuffled within windows of that sequence
};

struct OrderOptions {
  std::uint64_t seed = 0;
  OrderMode mode = OrderMode::kGlobal;
  std::uint64_t window = 8192;  // samples, for kShardLocal
  bool flips = true;            // where the data set has a flipped copy
  double holdout = 0;           // share of the samples that has no place in the order
};

// What is to be read for one global position.
struct SampleRef {
  std::uint64_t index = 0;
  std::uint32_t epoch = 0;
  bool flipped = false;
};

class SampleOrder {
 public:
  // `shard_sizes` are positive; their sum is the size of the data set. DataError where all samples
  // are held out, or none of those that should be.
  SampleOrder(const OrderOptions& options, std::span<const std::uint64_t> shard_sizes,
              bool has_flipped);

  SampleRef at(std::uint64_t position);
  // Of an epoch: the samples that are not held out.
  std::uint64_t size() const { return size_; }
  const Holdout& holdout() const { return holdout_; }
  std::uint64_t seed() const { return options_.seed; }

 private:
  void begin_epoch(std::uint32_t epoch);
  std::uint64_t shard_local(std::uint64_t offset);

  OrderOptions options_;
  bool has_flipped_;
  Holdout holdout_;
  std::uint64_t size_ = 0;
  std::vector<std::uint64_t> shard_begin_;  // first sample of each shard, and the end
  // Of the current epoch.
  std::optional<std::uint32_t> epoch_;
  std::optional<random::Permutation> permutation_;  // of the whole set, or of window window_
  std::uint64_t window_ = 0;
  std::vector<std::uint64_t> shuffled_;        // shards in their order
  std::vector<std::uint64_t> shuffled_begin_;  // where each begins in the sequence
};

}  // namespace edt::data
