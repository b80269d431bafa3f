#include "model/evaluation/moments.h"

#include <algorithm>
#include <cmath>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "model/evaluation/matrix.h"

namespace edt {
namespace {

constexpr std::int64_t kBlockRows = 256;
// Columns of a covariance that one thread computes at a time: fixed, as it decides about bits.
constexpr std::int64_t kPanel = 128;

// scatter += rows^T rows, its lower triangle.
void add_products(const Matrix& rows, Matrix& scatter) {
  const std::int64_t width = rows.cols();
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t begin = 0; begin < width; begin += kPanel) {
    const std::int64_t columns = std::min(kPanel, width - begin), below = width - begin;
    scatter.block(begin, begin, below, columns).noalias() +=
        rows.rightCols(below).transpose() * rows.middleCols(begin, columns);
  }
}

void check_finite(const Features& rows, std::int64_t before) {
  for (std::int64_t i = 0; i < rows.count(); ++i) {
    if (std::ranges::all_of(rows.row(i), [](float v) { return std::isfinite(v); })) continue;
    fail<DataError>("evaluation", "the features of picture {} are not finite", before + i);
  }
}

}  // namespace

FeatureMoments::FeatureMoments(std::int64_t width)
    : width_(width),
      mean_(static_cast<std::size_t>(width)),
      scatter_(static_cast<std::size_t>(width * width)) {}

void FeatureMoments::add(const Features& rows) {
  check_finite(rows, count());
  auto left = rows.values;
  while (!left.empty()) {
    const auto full = static_cast<std::size_t>(kBlockRows * width_);
    const auto taken = std::min(full - pending_.size(), left.size());
    pending_.insert(pending_.end(), left.begin(),
                    left.begin() + static_cast<std::ptrdiff_t>(taken));
    left = left.subspan(taken);
    if (pending_.size() == full) close_block();
  }
}

void FeatureMoments::close_block() {
  const std::int64_t count = pending_rows();
  if (count == 0) return;
  Matrix rows = ConstFloatMap(pending_.data(), count, width_).cast<double>();
  const Eigen::RowVectorXd mean = rows.colwise().mean();
  rows.rowwise() -= mean;
  Matrix scatter = Matrix::Zero(width_, width_);
  add_products(rows, scatter);
  pending_.clear();
  join(count, {mean.begin(), mean.end()}, {scatter.data(), scatter.data() + scatter.size()});
}

void FeatureMoments::join(std::int64_t count, const std::vector<double>& mean,
                          const std::vector<double>& scatter) {
  const double total = static_cast<double>(count_ + count);
  const double share = static_cast<double>(count) / total;
  Map ours(scatter_.data(), width_, width_);
  const ConstMap theirs(scatter.data(), width_, width_);
  const Eigen::VectorXd step =
      ConstVectorMap(mean.data(), width_) - VectorMap(mean_.data(), width_);
  ours += theirs;
  ours.selfadjointView<Eigen::Lower>().rankUpdate(step, static_cast<double>(count_) * share);
  VectorMap(mean_.data(), width_) += step * share;
  count_ += count;
}

void FeatureMoments::merge(const FeatureMoments& other) {
  EDT_ASSERT(width_ == other.width_);
  close_block();
  FeatureMoments closed = other;
  closed.close_block();
  if (closed.count_ > 0) join(closed.count_, closed.mean_, closed.scatter_);
}

FeatureStatistics FeatureMoments::statistics() const {
  FeatureMoments closed = *this;
  closed.close_block();
  if (closed.count_ < 2)
    fail<DataError>("evaluation", "a covariance takes 2 pictures or more, not {}", count());
  Matrix scatter = Map(closed.scatter_.data(), width_, width_);
  scatter /= static_cast<double>(closed.count_ - 1);
  scatter.triangularView<Eigen::StrictlyUpper>() = scatter.transpose();
  return {closed.count_, closed.mean_, {scatter.data(), scatter.data() + scatter.size()}};
}

}  // namespace edt
