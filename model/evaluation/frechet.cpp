#include "model/evaluation/frechet.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "model/evaluation/matrix.h"

namespace edt {
namespace {

// The library takes no empty matrix, which a covariance of rank 0 leads to.
Eigen::VectorXd eigenvalues_of(const Eigen::MatrixXd& symmetric) {
  if (symmetric.size() == 0) return {};
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(symmetric, Eigen::EigenvaluesOnly)
      .eigenvalues();
}

void check(const FeatureStatistics& statistics) {
  const auto finite = [](double v) { return std::isfinite(v); };
  if (std::ranges::all_of(statistics.mean, finite) &&
      std::ranges::all_of(statistics.covariance, finite)) {
    return;
  }
  fail<DataError>("evaluation", "statistics of features are not finite");
}

// What rounding leaves of values of a matrix that are 0: eigenvalues, or pivots.
double noise_of(const Eigen::VectorXd& values) {
  if (values.size() == 0) return 0;
  return static_cast<double>(values.size()) * std::numeric_limits<double>::epsilon() *
         std::max(0.0, values.maxCoeff());
}

// R [width, rank] with R R^T = covariance: Cholesky with the largest pivot first, until what is
// left is rounding. A fifth of the time of eigenvectors, and a hundredth where the rank is small.
Eigen::MatrixXd root_of(const ConstMap& covariance) {
  Eigen::VectorXd left = covariance.diagonal();
  const double noise = noise_of(left);
  Eigen::MatrixXd root(left.size(), left.size());
  Eigen::Index rank = 0, pivot = 0;
  while (rank < left.size() && left.maxCoeff(&pivot) > noise) {
    auto column = root.col(rank);
    const Eigen::VectorXd above = root.row(pivot).head(rank);
    column = covariance.row(pivot).transpose();
    column.noalias() -= root.leftCols(rank) * above;
    column /= std::sqrt(left(pivot));
    left -= column.cwiseAbs2();
    left(pivot) = 0;
    ++rank;
  }
  return root.leftCols(rank);
}

ConstMap covariance_of(const FeatureStatistics& statistics) {
  return {statistics.covariance.data(), statistics.width(), statistics.width()};
}

}  // namespace

struct FrechetReference::Impl {
  FeatureStatistics reference;
  Eigen::MatrixXd root;  // R [width, rank]
};

FrechetReference::FrechetReference(FeatureStatistics reference) : impl_(std::make_unique<Impl>()) {
  check(reference);
  impl_->reference = std::move(reference);
  impl_->root = root_of(covariance_of(impl_->reference));
}

FrechetReference::~FrechetReference() = default;
FrechetReference::FrechetReference(FrechetReference&&) noexcept = default;

const FeatureStatistics& FrechetReference::statistics() const { return impl_->reference; }
std::int64_t FrechetReference::rank() const { return impl_->root.cols(); }

FrechetDistance FrechetReference::distance_to(const FeatureStatistics& b) const {
  const FeatureStatistics& a = impl_->reference;
  if (a.width() != b.width()) {
    fail<DataError>("evaluation", "the reference has features of {} numbers, the samples of {}",
                    a.width(), b.width());
  }
  check(b);
  const Eigen::MatrixXd& root = impl_->root;
  const Eigen::MatrixXd product = root.transpose() * (covariance_of(b) * root);
  const Eigen::VectorXd values = eigenvalues_of(product);
  const double noise = noise_of(values);
  FrechetDistance distance;
  for (const double value : values) {
    if (value > noise) distance.trace_root += std::sqrt(value);
  }
  const ConstVectorMap mean_a(a.mean.data(), a.width()), mean_b(b.mean.data(), b.width());
  distance.mean_term = (mean_a - mean_b).squaredNorm();
  distance.trace_a = covariance_of(a).trace();
  distance.trace_b = covariance_of(b).trace();
  return distance;
}

}  // namespace edt
