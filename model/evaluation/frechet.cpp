#include "model/evaluation/frechet.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "model/evaluation/matrix.h"

namespace edt {
namespace {

using Solver = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>;

// The library takes no empty matrix, which a covariance of rank 0 leads to.
Eigen::VectorXd eigenvalues_of(const Eigen::MatrixXd& symmetric) {
  if (symmetric.size() == 0) return {};
  return Solver(symmetric, Eigen::EigenvaluesOnly).eigenvalues();
}

void check(const FeatureStatistics& statistics) {
  const auto finite = [](double v) { return std::isfinite(v); };
  if (std::ranges::all_of(statistics.mean, finite) &&
      std::ranges::all_of(statistics.covariance, finite)) {
    return;
  }
  fail<DataError>("evaluation", "statistics of features are not finite");
}

// What rounding leaves of eigenvalues that are 0.
double noise_of(const Eigen::VectorXd& eigenvalues) {
  if (eigenvalues.size() == 0) return 0;
  return static_cast<double>(eigenvalues.size()) * std::numeric_limits<double>::epsilon() *
         std::max(0.0, eigenvalues.maxCoeff());
}

ConstMap covariance_of(const FeatureStatistics& statistics) {
  return {statistics.covariance.data(), statistics.width(), statistics.width()};
}

}  // namespace

struct FrechetReference::Impl {
  FeatureStatistics reference;
  Eigen::MatrixXd root;  // V L^1/2 [width, rank]
};

FrechetReference::FrechetReference(FeatureStatistics reference) : impl_(std::make_unique<Impl>()) {
  check(reference);
  impl_->reference = std::move(reference);
  const Solver solver(covariance_of(impl_->reference));
  const Eigen::VectorXd& values = solver.eigenvalues();  // smallest first
  const double noise = noise_of(values);
  const auto rank = (values.array() > noise).count();
  impl_->root = solver.eigenvectors().rightCols(rank) * values.tail(rank).cwiseSqrt().asDiagonal();
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
