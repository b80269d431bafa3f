#include "model/evaluation/neighbours.h"

#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "model/evaluation/matrix.h"

namespace edt {
namespace {

// A set with the squared lengths of its rows; relative to a common point, as distances of far rows
// would lose digits.
struct Points {
  Matrix rows;
  Eigen::VectorXd squares;

  Points(const Features& set, const Eigen::RowVectorXd& origin) : rows(rows_of(set)) {
    rows.rowwise() -= origin;
    squares = rows.rowwise().squaredNorm();
  }
};

Eigen::RowVectorXd mean_of(const Features& set) { return rows_of(set).colwise().mean(); }

// Squared distances of rows [begin, begin + count) of a to those of b. What is within rounding of 0
// is 0: equal rows are equal, whatever the order of sums.
Matrix squared_distances(const Points& a, std::int64_t begin, std::int64_t count, const Points& b,
                         std::int64_t other, std::int64_t others) {
  Matrix result = a.rows.middleRows(begin, count) * b.rows.middleRows(other, others).transpose();
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t j = 0; j < others; ++j) {
      const double squares = a.squares(begin + i) + b.squares(other + j);
      const double distance = squares - 2 * result(i, j);
      result(i, j) = distance > 1e-12 * squares ? distance : 0.0;
    }
  }
  return result;
}

// Calls `use(row of a, distances to a block of b, first row of that block)` for each row of a with
// all blocks of b in turn, rows of a on all threads.
template <class Use>
void for_each_distance(const Points& a, const Points& b, const Use& use) {
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t begin = 0; begin < a.rows.rows(); begin += kTileRows) {
    const std::int64_t count = std::min(kTileRows, a.rows.rows() - begin);
    for (std::int64_t other = 0; other < b.rows.rows(); other += kTileRows) {
      const std::int64_t others = std::min(kTileRows, b.rows.rows() - other);
      const Matrix distances = squared_distances(a, begin, count, b, other, others);
      for (std::int64_t i = 0; i < count; ++i) {
        use(begin + i, std::span(distances.data() + i * others, static_cast<std::size_t>(others)),
            other);
      }
    }
  }
}

// The k + 1 smallest numbers seen, in order.
void keep_smallest(std::span<double> smallest, std::span<const double> distances) {
  for (const double distance : distances) {
    if (!(distance < smallest.back())) continue;
    const auto place = std::ranges::upper_bound(smallest, distance);
    std::move_backward(place, smallest.end() - 1, smallest.end());
    *place = distance;
  }
}

std::vector<double> radii_of(const Points& points, std::int64_t k) {
  const std::int64_t count = points.rows.rows();
  if (count < k + 1) {
    fail<DataError>("evaluation", "the {}-th nearest neighbour takes {} pictures or more, not {}",
                    k, k + 1, count);
  }
  // A row is the nearest to itself.
  const auto kept = static_cast<std::size_t>(k + 1);
  std::vector<double> smallest(static_cast<std::size_t>(count) * kept,
                               std::numeric_limits<double>::infinity());
  for_each_distance(points, points, [&](std::int64_t i, std::span<const double> distances, auto) {
    keep_smallest(std::span(smallest).subspan(static_cast<std::size_t>(i) * kept, kept), distances);
  });
  std::vector<double> radii;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    radii.push_back(smallest[i * kept + kept - 1]);
  }
  return radii;
}

// Share of `points` within the radius of any of `centres`.
double share_inside(const Points& points, const Points& centres, const std::vector<double>& radii) {
  std::vector<char> inside(static_cast<std::size_t>(points.rows.rows()));
  for_each_distance(points, centres,
                    [&](std::int64_t i, std::span<const double> distances, std::int64_t first) {
                      for (std::size_t j = 0; j < distances.size(); ++j) {
                        if (distances[j] <= radii[static_cast<std::size_t>(first) + j]) {
                          inside[static_cast<std::size_t>(i)] = 1;
                          return;
                        }
                      }
                    });
  return static_cast<double>(std::ranges::count(inside, 1)) / static_cast<double>(inside.size());
}

}  // namespace

std::vector<double> squared_radii(const Features& set, std::int64_t k) {
  return radii_of(Points(set, mean_of(set)), k);
}

PrecisionRecall precision_recall(const Features& reference, const Features& samples,
                                 std::int64_t k) {
  check_same_width(reference, samples);
  const auto origin = mean_of(reference);
  const Points a(reference, origin), b(samples, origin);
  return {share_inside(b, a, radii_of(a, k)), share_inside(a, b, radii_of(b, k))};
}

DensityCoverage density_coverage(const Features& reference, const Features& samples,
                                 std::int64_t k) {
  check_same_width(reference, samples);
  const auto origin = mean_of(reference);
  const Points centres(reference, origin), points(samples, origin);
  const std::vector<double> radii = radii_of(centres, k);
  std::vector<std::int64_t> held(radii.size());  // samples within each radius
  for_each_distance(centres, points, [&](std::int64_t i, std::span<const double> distances, auto) {
    const double radius = radii[static_cast<std::size_t>(i)];
    held[static_cast<std::size_t>(i)] +=
        std::ranges::count_if(distances, [radius](double d) { return d < radius; });
  });
  double pairs = 0, covered = 0;
  for (const std::int64_t count : held) {
    pairs += static_cast<double>(count);
    covered += count > 0 ? 1 : 0;
  }
  return {pairs / (static_cast<double>(k) * static_cast<double>(samples.count())),
          covered / static_cast<double>(held.size())};
}

}  // namespace edt
