// Frechet distance of two normal distributions (Dowson and Landau 1982), as FID takes it over
// features (Heusel et al., arXiv 1706.08500):
//   |mean_a - mean_b|^2 + trace(A + B - 2 (A B)^1/2)
#pragma once

#include <cstdint>
#include <memory>

#include "model/evaluation/moments.h"

namespace edt {

struct FrechetDistance {
  double mean_term = 0, trace_a = 0, trace_b = 0, trace_root = 0;
  double value() const { return mean_term + trace_a + trace_b - 2 * trace_root; }
};

// One side of distances, taken apart once: a decomposition of 2048 columns takes seconds.
//
// With A = R R^T the trace of the root is the sum of the roots of the eigenvalues of R^T B R, which
// is symmetric. A B is not, and its root is off by 1e-4 where covariances are singular, as those of
// fewer pictures than columns always are. Eigenvalues within the rounding of the largest count as
// 0: their roots would not be small.
class FrechetReference {
 public:
  // DataError where a value is not finite.
  explicit FrechetReference(FeatureStatistics reference);
  ~FrechetReference();
  FrechetReference(FrechetReference&&) noexcept;

  const FeatureStatistics& statistics() const;
  std::int64_t rank() const;  // of the covariance
  // a is the reference. DataError where widths differ.
  FrechetDistance distance_to(const FeatureStatistics& b) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace edt
