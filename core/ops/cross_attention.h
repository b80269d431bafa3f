// Multi-head attention of tokens to the tokens of a text, whose number varies from sample to
// sample. No [B, heads, T, L] tensor is stored: backward recomputes the probabilities from lse.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

// B samples, T queries, up to L keys of which sample b has the first lengths[b], H heads of size d:
// p = softmax(q k^T / sqrt(d)), out = p v. Keys behind the last one have no part in it and get no
// gradient; without any key the result is zero.
struct CrossAttentionKernels : virtual KernelFamily {
  // q [B, T, H, d], kv [B, L, 2, H, d], lengths [B] int32, out [B, T, H*d]; lse [B, H, T]
  // (accurate_dtype) = log sum exp of each row of logits, 0 without keys; or undefined.
  virtual void cross_attention_forward(const Tensor& q, const Tensor& kv, const Tensor& lengths,
                                       const Tensor& out, const Tensor& lse);
  virtual void cross_attention_backward(const Tensor& dout, const Tensor& q, const Tensor& kv,
                                        const Tensor& lengths, const Tensor& out, const Tensor& lse,
                                        const GradTarget& dq, const GradTarget& dkv);
};

// q [B, T, D], kv [B, L, 2*D], lengths [B] int32 -> [B, T, D]
Var cross_attention(Tape& tape, const Var& q, const Var& kv, const Var& lengths,
                    std::int64_t heads);

}  // namespace edt
