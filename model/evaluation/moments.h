// Mean and covariance of features, in one pass over any number of pictures.
#pragma once

#include <cstdint>
#include <vector>

#include "model/evaluation/features.h"

namespace edt {

// What a Frechet distance needs to know of a set.
struct FeatureStatistics {
  std::int64_t count = 0;          // 0: not known, as in files that hold mean and covariance alone
  std::vector<double> mean;        // [width]
  std::vector<double> covariance;  // [width, width], of a sample: divided by count - 1

  std::int64_t width() const { return static_cast<std::int64_t>(mean.size()); }
};

// Float64 throughout. The rows are summed in blocks of a fixed number, counted from the first: the
// bits depend neither on how the rows are cut into calls nor on the number of threads. The blocks
// are joined by Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
// sample variances", 1979, so that no large squares are subtracted.
class FeatureMoments {
 public:
  explicit FeatureMoments(std::int64_t width);

  std::int64_t width() const { return width_; }
  std::int64_t count() const { return count_ + pending_rows(); }
  // DataError, naming the row, where a value is not finite.
  void add(const Features& rows);
  // As if the other's rows had come after ours, but for rounding: an open block is closed first.
  void merge(const FeatureMoments& other);
  // DataError for fewer than two rows.
  FeatureStatistics statistics() const;

 private:
  std::int64_t pending_rows() const { return static_cast<std::int64_t>(pending_.size()) / width_; }
  void close_block();
  void join(std::int64_t count, const std::vector<double>& mean,
            const std::vector<double>& scatter);

  std::int64_t width_;
  std::int64_t count_ = 0;
  std::vector<double> mean_;     // [width]
  std::vector<double> scatter_;  // sum of (x - mean) (x - mean)^T, lower triangle
  std::vector<float> pending_;   // rows of the block that is not full yet
};

}  // namespace edt
