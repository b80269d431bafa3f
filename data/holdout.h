// Samples that are never trained on. Which they are follows from the seed and from their numbers in
// the data set: not from how it is cut into shards, from ranks, or from where a run went on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace edt::data {

class Holdout {
 public:
  Holdout() = default;  // none are
  // Each of `samples` by itself with probability `share`, so that a set which grows keeps them.
  // DataError where none are left on one of both sides.
  Holdout(double share, std::uint64_t seed, std::uint64_t samples);

  bool empty() const { return held_.empty(); }
  // Their numbers in the data set, ascending.
  std::span<const std::uint32_t> held() const { return held_; }
  // Of those that are trained on, the number in the data set of the one at `place`.
  std::uint64_t trained(std::uint64_t place) const;
  // How many of the samples of each shard are trained on.
  std::vector<std::uint64_t> trained_sizes(std::span<const std::uint64_t> shard_sizes) const;

 private:
  std::vector<std::uint32_t> held_;
};

}  // namespace edt::data
