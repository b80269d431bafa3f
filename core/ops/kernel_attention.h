// Attention whose weights are products of features instead of a softmax: linear in the tokens
// (Katharopoulos et al., arXiv 2006.16236), with the features f = max(0, .) of EDiT (arXiv
// 2503.16726).
#pragma once

#include "core/ops/kernel.h"

namespace edt {

// Added to the denominator: a query that f makes zero gets zeros.
inline constexpr double kKernelAttentionEpsilon = 1e-6;

// B samples, H heads of size d, N queries, M keys.
struct KernelAttentionKernels : virtual KernelFamily {
  // q [B, N, H, d], k and v [B, M, H, d]. state [B, H, d, d + 1] (accurate_dtype, so that no sum
  // overflows) receives sum over keys of f(k)_i (v_j, 1), in the order of the keys;
  // y [B, N, H, d] = f(q) state[.., d] / (f(q) . state[d] + epsilon)
  virtual void kernel_attention_forward(const Tensor& q, const Tensor& k, const Tensor& v,
                                        const Tensor& state, const Tensor& y);
  virtual void kernel_attention_backward(const Tensor& dy, const Tensor& q, const Tensor& k,
                                         const Tensor& v, const Tensor& state, const Tensor& y,
                                         const GradTarget& dq, const GradTarget& dk,
                                         const GradTarget& dv);
};

// q [B, N, H*d], k and v [B, M, H*d] -> [B, N, H*d].
Var kernel_attention(Tape& tape, const Var& q, const Var& k, const Var& v, std::int64_t heads);

}  // namespace edt
