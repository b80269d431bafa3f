// Patches of an image that are read beside values of their own: frames of a sequence and the
// condition of each.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

struct PatchesBeside {
  Tensor image;   // [B, C, r*p, c*p] accurate_dtype
  Tensor beside;  // [B, r*c, A] float32
  std::int64_t patch = 1;
};

// The linear map of each patch, in (channel, row, column) order, and what stands beside it: weight
// [D, C*p*p + A], bias [D]. positions [r*c, D] are added where they are defined. [B, r*c, D]
Var patch_embedding(Tape& tape, const PatchesBeside& inputs, Parameter& weight, Parameter& bias,
                    const Tensor& positions);

}  // namespace edt
