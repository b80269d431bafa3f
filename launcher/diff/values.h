// The largest difference between two recorded tensors.
#pragma once

#include <optional>
#include <span>

#include "launcher/diff/comparison.h"

namespace edt {

// A part of a tensor, and the file that has it.
struct RecordedPart {
  const RecordedFile* file;
  const RecordedTensor* tensor;
};

// Of a tensor whose parts these are; nothing where values are not kept on both sides, or shapes
// differ.
std::optional<LargestDifference> largest_difference(std::span<const RecordedPart> a,
                                                    std::span<const RecordedPart> b);

}  // namespace edt
