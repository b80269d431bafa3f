#include "data/sample_order.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/base/error.h"

namespace edt::data {

namespace {

using random::Permutation;
using random::Purpose;
using random::StreamKey;

// Streams of Purpose::kDataOrder within an epoch; windows take the numbers from kFirstWindow on.
constexpr std::uint32_t kWholeSet = 0, kShards = 1, kFirstWindow = 2;

}  // namespace

SampleOrder::SampleOrder(const OrderOptions& options, std::span<const std::uint64_t> shard_sizes,
                         bool has_flipped)
    : options_(options), has_flipped_(has_flipped && options.flips) {
  const std::uint64_t all =
      std::accumulate(shard_sizes.begin(), shard_sizes.end(), std::uint64_t{0});
  require<DataError>(all >= 1 && all <= std::numeric_limits<std::uint32_t>::max(), "data",
                     "a data set of {} samples; 1 to 2^32 - 1 are supported", all);
  if (options.holdout > 0) holdout_ = Holdout(options.holdout, options.seed, all);
  shard_begin_.push_back(0);
  for (const std::uint64_t n : holdout_.trained_sizes(shard_sizes)) {
    shard_begin_.push_back(shard_begin_.back() + n);
  }
  size_ = shard_begin_.back();
  require<UsageError>(options.window >= 1, "data", "shuffle window of {} samples", options.window);
}

void SampleOrder::begin_epoch(std::uint32_t epoch) {
  epoch_ = epoch;
  if (options_.mode == OrderMode::kGlobal) {
    permutation_.emplace(StreamKey{options_.seed, Purpose::kDataOrder, epoch, kWholeSet}, size_);
    return;
  }
  permutation_.reset();
  const std::size_t shards = shard_begin_.size() - 1;
  const Permutation order({options_.seed, Purpose::kDataOrder, epoch, kShards}, shards);
  shuffled_.resize(shards);
  shuffled_begin_.resize(shards);
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < shards; ++i) {
    shuffled_[i] = order(i);
    shuffled_begin_[i] = begin;
    begin += shard_begin_[shuffled_[i] + 1] - shard_begin_[shuffled_[i]];
  }
}

std::uint64_t SampleOrder::shard_local(std::uint64_t offset) {
  const std::uint64_t window = offset / options_.window;
  const std::uint64_t begin = window * options_.window;
  if (!permutation_ || window_ != window) {
    const std::uint32_t stream = kFirstWindow + static_cast<std::uint32_t>(window);
    permutation_.emplace(StreamKey{options_.seed, Purpose::kDataOrder, *epoch_, stream},
                         std::min(options_.window, size_ - begin));
    window_ = window;
  }
  const std::uint64_t place = begin + (*permutation_)(offset - begin);
  const auto after = std::upper_bound(shuffled_begin_.begin(), shuffled_begin_.end(), place);
  const auto i = static_cast<std::size_t>(after - shuffled_begin_.begin()) - 1;
  return shard_begin_[shuffled_[i]] + (place - shuffled_begin_[i]);
}

SampleRef SampleOrder::at(std::uint64_t position) {
  const std::uint64_t epoch = position / size_;
  require<DataError>(epoch <= std::numeric_limits<std::uint32_t>::max(), "data",
                     "position {} is beyond epoch 2^32", position);
  SampleRef ref{.epoch = static_cast<std::uint32_t>(epoch)};
  if (epoch_ != ref.epoch) begin_epoch(ref.epoch);
  const std::uint64_t offset = position % size_;
  ref.index = holdout_.trained(options_.mode == OrderMode::kGlobal ? (*permutation_)(offset)
                                                                   : shard_local(offset));
  ref.flipped = has_flipped_ && random::uniform({options_.seed, Purpose::kDataFlip, ref.epoch,
                                                 static_cast<std::uint32_t>(ref.index)}) < 0.5f;
  return ref;
}

}  // namespace edt::data
