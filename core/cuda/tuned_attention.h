// Which of two kernels attention takes in each pass on a GPU that has both, as timing has chosen.
// Nothing of CUDA.
#pragma once

#include <compare>
#include <cstdint>
#include <map>

namespace edt {

struct AttentionKey {
  std::int64_t batch = 0, tokens = 0, heads = 0, size = 0;
  std::int64_t rows = 0, columns = 0;  // of the grid
  bool biased = false;                 // by a table
  bool backward = false;

  auto operator<=>(const AttentionKey&) const = default;
};

struct TunedAttention {
  double seconds = 0, warpgroup_seconds = 0;  // of the kernel for all GPUs, of the other
  double difference = 0;    // between their results, as a share of these (root of mean squares)
  int rounds = 0;           // timed
  bool warpgroups = false;  // taken: the other kernel, which is faster and has the same values

  double chosen_seconds() const { return warpgroups ? warpgroup_seconds : seconds; }

  bool operator==(const TunedAttention&) const = default;
};

using TunedAttentions = std::map<AttentionKey, TunedAttention>;

}  // namespace edt
