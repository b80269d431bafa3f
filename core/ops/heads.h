// What is done to queries and keys before attention reads them: a norm of each head with learnt
// parameters, then a rotation by the token's place on the grid (RoPE, Su et al., arXiv 2104.09864).
// One pass over qkv does both.
#pragma once

#include <array>

#include "core/ops/kernel.h"

namespace edt {

inline constexpr double kHeadRmsEpsilon = 1e-6, kHeadLayerEpsilon = 1e-5;

// B samples, T tokens, H heads of size d; either of `norms` and `rotation` may be undefined. Both
// are accurate_dtype.
//   norms [2, d]      RMS norm (kHeadRmsEpsilon), by the weights of queries and of keys
//   norms [4, d]      layer norm (kHeadLayerEpsilon): the same, then the biases of both
//   rotation [T, d]   cosine and sine by turns, one pair for each pair of neighbours (a, b) of a
//                     head, which becomes (a cos - b sin, b cos + a sin); or [B, T, d], where the
//                     tokens of each sample stand at places of their own
struct HeadKernels : virtual KernelFamily {
  // qkv, y [B, T, 3, H, d]; values are copied
  virtual void head_transform_forward(const Tensor& qkv, const Tensor& norms,
                                      const Tensor& rotation, const Tensor& y);
  // Adds to dnorms (zero-filled by the tape). qkv is undefined where there are no norms.
  virtual void head_transform_backward(const Tensor& dy, const Tensor& qkv, const Tensor& norms,
                                       const Tensor& rotation, const GradTarget& dqkv,
                                       const Tensor& dnorms);
};

// qkv [B, T, 3*H*d] -> the same shape. `norms` may be empty: none. `rotation` lies in memory that
// outlives the step, or in that of the value `kept`.
Var head_transform(Tape& tape, const Var& qkv, std::int64_t heads, const Var& norms,
                   const Tensor& rotation, const Var& kept = {});

// Parameters of one size, one after the other, as a value [n, size] in accurate_dtype: for what
// ranks share and use on parts of their own. Empty places at the end are left out.
Var parameter_rows(Tape& tape, const std::array<Parameter*, 4>& parameters);

}  // namespace edt
