// From how many rows on a product with packed ternary weights is no faster than a dense one.
#pragma once

#include <vector>

#include "model/families/model_config.h"

namespace edt {

struct TernaryTurn {
  std::int64_t outputs = 0, inputs = 0, rows = 0;
  double dense_seconds = 0, packed_seconds = 0;  // of one product, the least of all rounds

  double ratio() const { return dense_seconds / packed_seconds; }
};

// The ternary matrices of a model, each size once, on the processor: by turns, and each time with
// another copy of the weights, so that they come from memory as in a step of a sampler. UsageError
// where it has none.
std::vector<TernaryTurn> bench_ternary(const ModelConfig& model,
                                       const std::vector<std::int64_t>& rows, int rounds);
// Up to so many rows packed weights are taken.
std::int64_t most_packed_rows();

}  // namespace edt
