// Eigen as this folder uses it: row-major, on memory that belongs to others, and on no threads of
// its own (EIGEN_DONT_PARALLELIZE), as the order of its sums would follow their number.
#pragma once

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Dense>

#include "model/evaluation/features.h"

namespace edt {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Map = Eigen::Map<Matrix>;
using ConstMap = Eigen::Map<const Matrix>;
using VectorMap = Eigen::Map<Eigen::VectorXd>;
using ConstVectorMap = Eigen::Map<const Eigen::VectorXd>;
using ConstFloatMap =
    Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

// Rows that one product of two sets takes of each.
constexpr std::int64_t kTileRows = 512;

inline Matrix rows_of(const Features& set) {
  return ConstFloatMap(set.values.data(), set.count(), set.width).cast<double>();
}

}  // namespace edt
