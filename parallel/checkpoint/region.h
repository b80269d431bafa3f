// Which elements of a logical tensor a fragment holds, and what two fragments have in common: the
// basis of re-sharding.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/tensor/shape.h"

namespace edt {

// Elements [begin, end), in row-major order, of a box of a logical tensor. Data-parallel shards
// take ranges of the whole tensor; tensor-parallel ones have a box of rows or columns first.
struct Region {
  Shape origin;
  Shape extent;
  std::int64_t begin = 0;
  std::int64_t end = 0;

  static Region of_whole(const Shape& tensor, std::int64_t begin, std::int64_t end);
  static Region of_whole(const Shape& tensor) { return of_whole(tensor, 0, tensor.elements()); }

  std::int64_t elements() const { return end - begin; }
  bool operator==(const Region&) const = default;
};

// True where the box lies inside the tensor and the range inside the box and is not empty.
bool fits(const Region& region, const Shape& tensor);

// "0-70", or "0-35@0:10,2:4" for a box of rows 0..9 and columns 2..3.
std::string to_string(const Region& region, const Shape& tensor);

// Elements that are contiguous both in the logical tensor and in the fragment.
struct Run {
  std::int64_t logical = 0;
  std::int64_t local = 0;
  std::int64_t length = 0;
};

// The runs of a region that fits, ascending in both positions.
std::vector<Run> runs_of(const Region& region, const Shape& tensor);

// What two lists of runs share: `length` elements at position `a` of one fragment and `b` of the
// other.
struct Overlap {
  std::int64_t a = 0;
  std::int64_t b = 0;
  std::int64_t length = 0;
};
std::vector<Overlap> overlaps(std::span<const Run> a, std::span<const Run> b);

}  // namespace edt
