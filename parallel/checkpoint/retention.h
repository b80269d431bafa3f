// Which of the complete checkpoints of a run stay, and how much room they take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace edt {

struct Retention {
  int newest = 2;          // at least 2
  std::int64_t every = 0;  // steps that are multiples of it stay for ever; 0: none do
  int best = 0;      // those of the lowest smoothed loss, the earlier one where two are equal,
  std::string by{};  // or, instead of it, of this one of CheckpointInfo::judged
};

struct RankedStep {
  std::int64_t step = 0;
  std::optional<double> loss;  // or what ranks; nothing: it is never one of the best
};

// Of `complete`, in any order: the steps that go.
std::vector<std::int64_t> expired(const Retention& retention, std::vector<RankedStep> complete);

// While each of `saves` is written, one after the other: how many more checkpoints are on the disk
// than now, that one included. The most that it may be, as losses of the future are not known.
std::vector<std::int64_t> added_during(const Retention& retention, std::vector<RankedStep> now,
                                       const std::vector<std::int64_t>& saves);

}  // namespace edt
