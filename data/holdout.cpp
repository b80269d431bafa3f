#include "data/holdout.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/random/stream.h"

namespace edt::data {

namespace {

// Of Purpose::kEvaluation; KID's subsets have the steps from 0 on.
constexpr std::uint32_t kWhichAreHeld = 0x80000000u;

}  // namespace

Holdout::Holdout(double share, std::uint64_t seed, std::uint64_t samples) {
  for (std::uint64_t i = 0; i < samples; ++i) {
    const auto number = static_cast<std::uint32_t>(i);
    const random::StreamKey key{seed, random::Purpose::kEvaluation, kWhichAreHeld, number};
    if (static_cast<double>(random::uniform(key)) < share) held_.push_back(number);
  }
  require<DataError>(!held_.empty() && held_.size() < samples, "data",
                     "data.holdout {} keeps {} of {} samples out of training: some have to be, and "
                     "not all",
                     share, held_.size(), samples);
}

// held_[i] - i samples that are trained on lie before the i-th that is not.
std::uint64_t Holdout::trained(std::uint64_t place) const {
  const auto first = std::ranges::partition_point(held_, [&](const std::uint32_t& held) {
    return held - static_cast<std::uint64_t>(&held - held_.data()) <= place;
  });
  return place + static_cast<std::uint64_t>(first - held_.begin());
}

std::vector<std::uint64_t> Holdout::trained_sizes(
    std::span<const std::uint64_t> shard_sizes) const {
  std::vector<std::uint64_t> sizes;
  std::uint64_t begin = 0;
  for (const std::uint64_t size : shard_sizes) {
    const auto first = std::ranges::lower_bound(held_, begin);
    const auto last = std::ranges::lower_bound(held_, begin + size);
    sizes.push_back(size - static_cast<std::uint64_t>(last - first));
    begin += size;
  }
  return sizes;
}

}  // namespace edt::data
