#include "model/evaluation/kernel_distance.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/base/error.h"
#include "core/random/permutation.h"
#include "model/evaluation/matrix.h"

namespace edt {
namespace {

// Sum of kernel(products of rows) over all pairs of rows, block by block; the sums of the blocks
// are added in their order, so that threads do not show.
template <class Kernel>
double sum_over_pairs(const Matrix& a, const Matrix& b, const Kernel& kernel) {
  const std::int64_t down = (a.rows() + kTileRows - 1) / kTileRows;
  const std::int64_t across = (b.rows() + kTileRows - 1) / kTileRows;
  std::vector<double> sums(static_cast<std::size_t>(down * across));
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t i = 0; i < down * across; ++i) {
    const std::int64_t row = i / across * kTileRows, column = i % across * kTileRows;
    const Matrix products =
        a.middleRows(row, std::min(kTileRows, a.rows() - row)) *
        b.middleRows(column, std::min(kTileRows, b.rows() - column)).transpose();
    sums[static_cast<std::size_t>(i)] = products.unaryExpr(kernel).sum();
  }
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

double cubic(const Matrix& a, const Matrix& b) {
  const double width = static_cast<double>(a.cols());
  const auto kernel = [width](double product) {
    const double k = product / width + 1;
    return k * k * k;
  };
  const auto own = [&](const Matrix& x) {  // without each row's pair with itself
    double sum = sum_over_pairs(x, x, kernel);
    for (std::int64_t i = 0; i < x.rows(); ++i) sum -= kernel(x.row(i).squaredNorm());
    const auto n = static_cast<double>(x.rows());
    return sum / (n * (n - 1));
  };
  const double pairs = static_cast<double>(a.rows()) * static_cast<double>(b.rows());
  return own(a) + own(b) - 2 * sum_over_pairs(a, b, kernel) / pairs;
}

Matrix unit_rows(const Features& set) {
  Matrix rows = rows_of(set);
  for (std::int64_t i = 0; i < rows.rows(); ++i) {
    const double length = rows.row(i).norm();
    if (!(length > 0)) fail<DataError>("evaluation", "the features of picture {} are all zero", i);
    rows.row(i) /= length;
  }
  return rows;
}

Matrix subset_of(const Matrix& rows, std::int64_t size, random::StreamKey key) {
  const random::Permutation order(key, static_cast<std::uint64_t>(rows.rows()));
  Matrix subset(size, rows.cols());
  for (std::int64_t i = 0; i < size; ++i) {
    subset.row(i) = rows.row(static_cast<std::int64_t>(order(static_cast<std::uint64_t>(i))));
  }
  return subset;
}

}  // namespace

double cubic_discrepancy(const Features& a, const Features& b) {
  check_same_width(a, b);
  if (std::min(a.count(), b.count()) < 2) {
    fail<DataError>("evaluation",
                    "a kernel distance takes 2 pictures or more of each set, not {} and {}",
                    a.count(), b.count());
  }
  return cubic(rows_of(a), rows_of(b));
}

KernelDistance kernel_inception_distance(const Features& a, const Features& b, std::int64_t subsets,
                                         std::int64_t size, std::uint64_t seed) {
  check_same_width(a, b);
  if (std::min(a.count(), b.count()) < size || size < 2) {
    fail<DataError>("evaluation", "subsets of {} pictures of sets of {} and {}", size, a.count(),
                    b.count());
  }
  const Matrix rows_a = rows_of(a), rows_b = rows_of(b);
  std::vector<double> values;
  for (std::int64_t i = 0; i < subsets; ++i) {
    const auto key = [&](std::uint32_t side) {
      return random::StreamKey{.seed = seed,
                               .purpose = random::Purpose::kEvaluation,
                               .step = static_cast<std::uint32_t>(i) * 2 + side};
    };
    values.push_back(cubic(subset_of(rows_a, size, key(0)), subset_of(rows_b, size, key(1))));
  }
  KernelDistance distance;
  const auto count = static_cast<double>(subsets);
  for (const double value : values) distance.mean += value / count;
  double variance = 0;
  for (const double value : values) {
    variance += (value - distance.mean) * (value - distance.mean) / count;
  }
  distance.deviation = std::sqrt(variance);
  return distance;
}

double gaussian_discrepancy(const Features& a, const Features& b, double sigma) {
  check_same_width(a, b);
  const Matrix x = unit_rows(a), y = unit_rows(b);
  const double scale = 1 / (2 * sigma * sigma);
  // |x - y|^2 = 2 - 2 x.y of unit vectors
  const auto kernel = [scale](double product) { return std::exp(-scale * (2 - 2 * product)); };
  const auto mean = [&](const Matrix& p, const Matrix& q) {
    return sum_over_pairs(p, q, kernel) /
           (static_cast<double>(p.rows()) * static_cast<double>(q.rows()));
  };
  return 1000 * (mean(x, x) + mean(y, y) - 2 * mean(x, y));
}

}  // namespace edt
