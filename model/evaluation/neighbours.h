// How two sets of features lie in each other, by nearest neighbours.
#pragma once

#include <cstdint>
#include <vector>

#include "model/evaluation/features.h"

namespace edt {

// Of each row its squared distance to the k-th nearest other one (rows that are equal count).
// DataError for fewer than k + 1 rows.
std::vector<double> squared_radii(const Features& set, std::int64_t k);

// Shares of the samples inside the reference, and of the reference inside the samples: within the
// radius of any row of the other set, or on it (Kynkaanniemi et al., arXiv 1904.06991; k = 3 in
// ADM's evaluator).
struct PrecisionRecall {
  double precision = 0, recall = 0;
};
PrecisionRecall precision_recall(const Features& reference, const Features& samples,
                                 std::int64_t k);

// In how many radii of the reference a sample lies, over k; and the share of the reference's radii
// that hold a sample (Naeem et al., arXiv 2002.09797; k = 5, strictly inside).
struct DensityCoverage {
  double density = 0, coverage = 0;
};
DensityCoverage density_coverage(const Features& reference, const Features& samples,
                                 std::int64_t k);

}  // namespace edt
