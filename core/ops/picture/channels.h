// Between pixels and channels of pictures [N, H, W, C], forward only: what DC-AE's shortcuts and
// gates need. Space and channels trade in the order of PyTorch's pixel_shuffle: channel
// c r^2 + i r + j of the small picture is channel c of the pixel in row i, column j of r x r.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

struct ChannelKernels : virtual KernelFamily {
  // The small picture of x (r to a side) and of its channels the means of each `group` in turn:
  // x [N, r h, r w, C] -> y [N, h, w, C r^2 / group]
  virtual void fold_pixels(const Tensor& x, std::int64_t r, std::int64_t group, const Tensor& y);
  // Each channel `repeats` times in turn, then the large picture of that:
  // x [N, h, w, C] -> y [N, r h, r w, C repeats / r^2]
  virtual void unfold_pixels(const Tensor& x, std::int64_t r, std::int64_t repeats,
                             const Tensor& y);
  // x [N, H, W, 2 C]: y = first half of the channels * silu(second half)
  virtual void gated_silu(const Tensor& x, const Tensor& y);
  // a [N, H, W, A] and b [N, H, W, B] side by side: y [N, H, W, A + B]
  virtual void join_channels(const Tensor& a, const Tensor& b, const Tensor& y);
};

Var fold_pixels(Tape& tape, const Var& x, std::int64_t r, std::int64_t group);
Var unfold_pixels(Tape& tape, const Var& x, std::int64_t r, std::int64_t repeats);
Var gated_silu(Tape& tape, const Var& x);
Var join_channels(Tape& tape, const Var& a, const Var& b);

}  // namespace edt
