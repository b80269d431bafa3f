// Inception Score: exp of the mean divergence of each picture's classes from the set's
// (Salimans et al., arXiv 1606.03498), over parts of the set in their order.
#pragma once

#include <cstdint>
#include <vector>

#include "model/evaluation/features.h"

namespace edt {

struct InceptionScore {
  std::vector<double> parts;
  double mean = 0;
  double deviation = 0;  // of the parts, divided by their number
};

// logits: [pictures, classes]; parts of `part_size` pictures, the last one as large as what is
// left, as ADM's evaluator takes them (5000). DataError without pictures.
InceptionScore inception_score(const Features& logits, std::int64_t part_size);

}  // namespace edt
