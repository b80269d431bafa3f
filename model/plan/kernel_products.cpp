#include "model/plan/kernel_products.h"

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

MatmulForm forward_product(const Tensor& x, const Tensor& weight) {
  return {.m = x.shape.rows(), .n = weight.shape[0], .k = inputs_of(weight), .transposed_b = true};
}

MatmulForm input_gradient_product(const Tensor& dy, const Tensor& weight) {
  return {.m = dy.shape.rows(), .n = inputs_of(weight), .k = weight.shape[0]};
}

MatmulForm weight_gradient_product(const Tensor& dy, const Tensor& weight) {
  return {.m = weight.shape[0], .n = inputs_of(weight), .k = dy.shape.rows(), .transposed_a = true};
}

KernelProducts attention_forward_products(const Tensor& qkv) {
  const Heads heads(qkv);
  return {{heads.scores(), heads.values()}, {}};
}

// dv = p^T do, dp = do v^T, dq = ds k, dk = ds^T q
KernelProducts attention_backward_products(const Tensor& qkv) {
  const Heads heads(qkv);
  return {{heads.values(true), heads.scores(), heads.values(), heads.values(true)},
          {heads.scores()}};
}

KernelProducts mlp_forward_products(const Tensor& x, const MlpWeights& weights) {
  return {{forward_product(x, weights.fc1), forward_product(x, weights.fc2)}, {}};
}

KernelProducts mlp_backward_products(const Tensor& dy, const Tensor& x, const MlpWeights& weights) {
  return {{input_gradient_product(dy, weights.fc2), weight_gradient_product(dy, weights.fc2),
           input_gradient_product(x, weights.fc1), weight_gradient_product(x, weights.fc1)},
          {}};
}

}  // namespace edt
