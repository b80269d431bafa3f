// Pooling of pictures [N, H, W, C], forward only.
#pragma once

#include "core/ops/kernel.h"
#include "core/ops/picture/pool_form.h"

namespace edt {

struct PoolKernels : virtual KernelFamily {
  // y [N, (H + 2 padding - rows) / stride + 1, the same of W, C]: the largest, or the mean, of the
  // pixels of x under each place of the kernel.
  virtual void pool(const Tensor& x, const PoolForm& form, const Tensor& y);
};

Var pool(Tape& tape, const Var& x, const PoolForm& form);
// The mean of all pixels: [N, 1, 1, C].
Var mean_pixel(Tape& tape, const Var& x);

}  // namespace edt
