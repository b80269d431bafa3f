// Where a network's features are large: what a student's tokens and a teacher's of another width
// have in common (attention transfer, Zagoruyko and Komodakis, arXiv 1612.03928).
#pragma once

#include "core/ops/kernel.h"

namespace edt {

inline constexpr double kAttentionMapFloor = 1e-12;  // of a map's norm

struct AttentionMapKernels : virtual KernelFamily {
  // map[b] = a / |a|, a[t] = mean over the width of x[b][t]^2. x [B, T, D]; map [B, T, 1] and norms
  // [B], the |a| with a floor, are accurate_dtype.
  virtual void attention_map_forward(const Tensor& x, const Tensor& map, const Tensor& norms);
  // dx (+)= 2 x / D * (dmap - map (map . dmap)) / |a|
  virtual void attention_map_backward(const Tensor& dmap, const Tensor& x, const Tensor& map,
                                      const Tensor& norms, const GradTarget& dx);
};

// x [B, T, D] -> [B, T, 1], of norm 1 for each sample.
Var attention_map(Tape& tape, const Var& x);

}  // namespace edt
