// Maximum mean discrepancy of two sets of features (Gretton et al., JMLR 2012), in float64.
#pragma once

#include <cstdint>

#include "model/evaluation/features.h"

namespace edt {

// With the kernel (x.y / width + 1)^3, unbiased: one subset's KID (Binkowski et al., arXiv
// 1801.01401). DataError for fewer than two rows on a side.
double cubic_discrepancy(const Features& a, const Features& b);

struct KernelDistance {
  double mean = 0;
  double deviation = 0;  // of the subsets, divided by their number
};

// KID: the mean over `subsets` pairs of subsets of `size` rows each, drawn without replacement by
// `seed`. DataError where a set has fewer rows than `size`.
KernelDistance kernel_inception_distance(const Features& a, const Features& b, std::int64_t subsets,
                                         std::int64_t size, std::uint64_t seed);

// With the kernel exp(-|x - y|^2 / (2 sigma^2)) on rows made unit vectors, biased, times 1000: CMMD
// (Jayasumana et al., arXiv 2401.09603; sigma 10). DataError where a row is zero.
double gaussian_discrepancy(const Features& a, const Features& b, double sigma);

}  // namespace edt
