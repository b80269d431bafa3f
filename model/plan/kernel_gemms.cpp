#include "model/plan/kernel_gemms.h"

namespace edt {
namespace {

std::int64_t inputs_of(const Tensor& weight) { return weight.shape.elements() / weight.shape[0]; }

// An attention's [T, d] x [d, T] for each head of each sample.
struct Heads {
  std::int64_t batch, tokens, width;

  explicit Heads(const Tensor& qkv)
      : batch(qkv.shape[0] * qkv.shape[3]), tokens(qkv.shape[1]), width(qkv.shape[4]) {}

  // [T, d] x [T, d]^T
  MatmulForm scores() const {
    return {.batch = batch, .m = tokens, .n = tokens, .k = width, .transposed_b = true};
  }
  // [T, T] x [T, d], or the first factor transposed
  MatmulForm values(bool transposed = false) const {
    return {.batch = batch, .m = tokens, .n = width, .k = tokens, .transposed_a = transposed};
  }
};

}  // namespace

MatmulForm forward_gemm(const Tensor& x, const Tensor& weight) {
  return {.m = x.shape.rows(), .n = weight.shape[0], .k = inputs_of(weight), .transposed_b = true};
}

MatmulForm input_gradient_gemm(const Tensor& dy, const Tensor& weight) {
  return {.m = dy.shape.rows(), .n = inputs_of(weight), .k = weight.shape[0]};
}

MatmulForm weight_gradient_gemm(const Tensor& dy, const Tensor& weight) {
  return {.m = weight.shape[0], .n = inputs_of(weight), .k = dy.shape.rows(), .transposed_a = true};
}

KernelGemms attention_forward_gemms(const Tensor& qkv) {
  const Heads heads(qkv);
  return {{heads.scores(), heads.values()}, {}};
}

// dv = p^T do, dp = do v^T, dq = ds k, dk = ds^T q
KernelGemms attention_backward_gemms(const Tensor& qkv) {
  const Heads heads(qkv);
  return {{heads.values(true), heads.scores(), heads.values(), heads.values(true)},
          {heads.scores()}};
}

// f(k)^T (v, 1), and f(q) times that
KernelGemms kernel_attention_forward_gemms(const Tensor& q, const Tensor& k) {
  const std::int64_t heads = q.shape[0] * q.shape[2], d = q.shape[3];
  return {{{.batch = heads, .m = d, .n = d + 1, .k = k.shape[1], .transposed_a = true},
           {.batch = heads, .m = q.shape[1], .n = d + 1, .k = d}},
          {}};
}

// dS = f(q)^T (dn, dm), df(q) = (dn, dm) S^T, df(k) = (v, 1) dS^T, dv = f(k) dS
KernelGemms kernel_attention_backward_gemms(const Tensor& q, const Tensor& k) {
  const std::int64_t heads = q.shape[0] * q.shape[2], d = q.shape[3];
  const auto by_token = [&](std::int64_t tokens) {
    return MatmulForm{.batch = heads, .m = tokens, .n = d, .k = d + 1, .transposed_b = true};
  };
  return {{{.batch = heads, .m = d, .n = d + 1, .k = q.shape[1], .transposed_a = true},
           by_token(q.shape[1]),
           by_token(k.shape[1]),
           {.batch = heads, .m = k.shape[1], .n = d, .k = d}},
          {}};
}

KernelGemms mlp_forward_gemms(const Tensor& x, const MlpWeights& weights) {
  return {{forward_gemm(x, weights.fc1), forward_gemm(x, weights.fc2)}, {}};
}

KernelGemms mlp_backward_gemms(const Tensor& dy, const Tensor& x, const MlpHidden& hidden,
                               const MlpWeights& weights) {
  const double units = static_cast<double>(x.shape.rows() * inputs_of(weights.fc2));
  const double written = units * static_cast<double>(size_of(hidden.before.dtype));
  return {{input_gradient_gemm(dy, weights.fc2), weight_gradient_gemm(dy, weights.fc2),
           input_gradient_gemm(x, weights.fc1), weight_gradient_gemm(x, weights.fc1)},
          {},
          hidden.after.defined() ? 0 : static_cast<double>(hidden.before.bytes()) + written};
}

}  // namespace edt
