// Attention between the pixels of a picture, forward only: one wide head with a softmax, or narrow
// heads with a linear kernel. Neither keeps a matrix of pixels by pixels.
#pragma once

#include "core/ops/kernel.h"

namespace edt {

struct PictureAttentionKernels : virtual KernelFamily {
  // y = softmax(q k^T / sqrt(C)) v for q, k, v, y [N, T, C], one head over all of C. The softmax is
  // float32 or better.
  virtual void wide_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& y);
  // qkv [N, T, heads * 3 * size]: q, k and v of a head side by side. With f = max(0, .):
  // y [N, T, heads * size] = f(q) (f(k)^T v) / (f(q) . sum over T of f(k) + epsilon)
  virtual void relu_linear_attention(const Tensor& qkv, std::int64_t size, double epsilon,
                                     const Tensor& y);
};

// Pictures [N, H, W, C] of one shape; the same shape comes back.
Var wide_attention(Tape& tape, const Var& q, const Var& k, const Var& v);
// [N, H, W, heads * 3 * size] -> [N, H, W, heads * size]. Cai et al., arXiv 2205.14756.
Var relu_linear_attention(Tape& tape, const Var& qkv, std::int64_t size, double epsilon);

}  // namespace edt
