// Dimensions of a tensor, row-major. Held by value: no allocation.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/base/assert.h"

namespace edt {

class Shape {
 public:
  static constexpr int kMaxRank = 6;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) {
    EDT_ASSERT(dims.size() <= kMaxRank);
    for (std::int64_t dim : dims) dims_[static_cast<std::size_t>(rank_++)] = dim;
  }

  int rank() const { return rank_; }

  // Size along `axis`; negative axes count from the end.
  std::int64_t operator[](int axis) const {
    if (axis < 0) axis += rank_;
    EDT_ASSERT(axis >= 0 && axis < rank_);
    return dims_[static_cast<std::size_t>(axis)];
  }

  std::int64_t elements() const {
    std::int64_t product = 1;
    for (int i = 0; i < rank_; ++i) product *= dims_[static_cast<std::size_t>(i)];
    return product;
  }

  // Rows and columns of the matrix view that keeps the last axis.
  std::int64_t columns() const { return rank_ == 0 ? 1 : (*this)[-1]; }
  std::int64_t rows() const {
    return rank_ == 0 ? 1 : elements() / std::max<std::int64_t>(1, columns());
  }

  void append(std::int64_t dim) {
    EDT_ASSERT(rank_ < kMaxRank);
    dims_[static_cast<std::size_t>(rank_++)] = dim;
  }

  bool operator==(const Shape& other) const {
    if (rank_ != other.rank_) return false;
    for (int i = 0; i < rank_; ++i) {
      if ((*this)[i] != other[i]) return false;
    }
    return true;
  }

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

// "[2, 256, 312]"
std::string to_string(const Shape& shape);

}  // namespace edt
