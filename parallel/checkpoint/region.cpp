#include "parallel/checkpoint/region.h"

#include <algorithm>

#include <fmt/format.h>

namespace edt {
namespace {

bool is_whole(const Region& region, const Shape& tensor) { return region.extent == tensor; }

Shape zeros(int rank) {
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.append(0);
  return shape;
}

// Position in the tensor of element `index` of the box.
std::int64_t logical_position(const Region& region, const Shape& tensor, std::int64_t index) {
  std::int64_t position = 0;
  std::int64_t stride = 1;
  for (int axis = tensor.rank() - 1; axis >= 0; --axis) {
    position += (region.origin[axis] + index % region.extent[axis]) * stride;
    index /= region.extent[axis];
    stride *= tensor[axis];
  }
  return position;
}

// Elements of the box that are neighbours in the tensor too.
std::int64_t contiguous_elements(const Region& region, const Shape& tensor) {
  std::int64_t count = 1;
  for (int axis = tensor.rank() - 1; axis >= 0; --axis) {
    count *= region.extent[axis];
    if (region.extent[axis] != tensor[axis]) break;
  }
  return count;
}

}  // namespace

Region Region::of_whole(const Shape& tensor, std::int64_t begin, std::int64_t end) {
  return {zeros(tensor.rank()), tensor, begin, end};
}

bool fits(const Region& region, const Shape& tensor) {
  if (region.origin.rank() != tensor.rank() || region.extent.rank() != tensor.rank()) return false;
  for (int axis = 0; axis < tensor.rank(); ++axis) {
    if (region.origin[axis] < 0 || region.extent[axis] <= 0) return false;
    if (region.extent[axis] > tensor[axis]) return false;
    if (region.origin[axis] > tensor[axis] - region.extent[axis]) return false;
  }
  return 0 <= region.begin && region.begin < region.end && region.end <= region.extent.elements();
}

std::string to_string(const Region& region, const Shape& tensor) {
  std::string text = fmt::format("{}-{}", region.begin, region.end);
  if (is_whole(region, tensor)) return text;
  for (int axis = 0; axis < tensor.rank(); ++axis) {
    text += fmt::format("{}{}:{}", axis == 0 ? '@' : ',', region.origin[axis],
                        region.origin[axis] + region.extent[axis]);
  }
  return text;
}

std::vector<Run> runs_of(const Region& region, const Shape& tensor) {
  std::vector<Run> runs;
  const std::int64_t line = contiguous_elements(region, tensor);
  for (std::int64_t index = region.begin; index < region.end;) {
    const std::int64_t length = std::min(region.end, (index / line + 1) * line) - index;
    runs.push_back({logical_position(region, tensor, index), index - region.begin, length});
    index += length;
  }
  return runs;
}

std::vector<Overlap> overlaps(std::span<const Run> a, std::span<const Run> b) {
  std::vector<Overlap> shared;
  for (auto left = a.begin(), right = b.begin(); left != a.end() && right != b.end();) {
    const std::int64_t begin = std::max(left->logical, right->logical);
    const std::int64_t left_end = left->logical + left->length;
    const std::int64_t right_end = right->logical + right->length;
    const std::int64_t end = std::min(left_end, right_end);
    if (begin < end) {
      shared.push_back({left->local + begin - left->logical, right->local + begin - right->logical,
                        end - begin});
    }
    left_end <= right_end ? ++left : ++right;
  }
  return shared;
}

}  // namespace edt
