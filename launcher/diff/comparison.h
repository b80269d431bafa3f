// Where the records of two runs part first.
//
// Calls have their counterparts by what they are, not by when or where they came: micro-batch,
// kernel, the parameter they use, and how many alike came before. So another number of ranks,
// ZeRO stage or recompute moves nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/diff/record_set.h"

namespace edt {

// The values of a tensor in both records.
struct LargestDifference {
  double difference = 0;               // NaN where one of two is no number
  std::int64_t at = 0;                 // element of the whole tensor
  std::array<double, 2> values{};      // there
  std::int64_t different = 0, of = 0;  // elements
};

// The first call that has not the same in both. One of the two may be missing.
struct Difference {
  std::int64_t step = 0;
  RecordedCall call;                 // as A has it, or B where A has none
  std::array<int, 2> ranks{-1, -1};  // that recorded it; -1: none
  // What differs of it; neither: the call itself is in one record only, or of samples what they
  // are.
  std::array<std::optional<RecordedTensor>, 2> tensors;
  bool is_read = false;                // it is something that the call read
  std::array<std::string, 2> details;  // of samples: their numbers
  std::string behind;                  // the last parameter that was used before, for calls without
  std::optional<LargestDifference> largest;  // where both records keep values
};

struct RecordComparison {
  std::optional<Difference> difference;
  std::vector<std::int64_t> steps;  // that were compared
  std::int64_t calls = 0, gradients = 0, weights = 0;
  std::string left_out;  // what could not be compared, and why; empty: nothing
  std::string outside;   // why the runs may differ though nothing is wrong; empty: they may not
};

// UsageError where the runs need not agree: other configurations, no step in common.
RecordComparison compare(const RecordSet& a, const RecordSet& b);

}  // namespace edt
