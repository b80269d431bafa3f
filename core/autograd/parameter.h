// A trainable tensor. Values and gradients live in flat buffers that the layer above owns.
#pragma once

#include <string>

#include "core/tensor/tensor.h"

namespace edt {

struct Parameter {
  std::string name;  // the published name, e.g. "blocks.0.attn.qkv.weight"
  Shape shape;
  Tensor value;  // in the compute dtype
  Tensor grad;   // float32 (float64 on a float64 tape)

  // Kept by the tape during a step.
  int pending_uses = 0;       // recorded uses whose backward has not run yet
  bool grad_written = false;  // false: the next contribution overwrites
};

}  // namespace edt
