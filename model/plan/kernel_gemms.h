// The matrix products of the kernels that have some, in the shapes that they are called with: the
// source of FLOP counts and of the machine's ceiling.
#pragma once

#include <vector>

#include "core/ops/backend.h"

namespace edt {

struct KernelGemms {
  std::vector<MatmulForm> counted;
  std::vector<MatmulForm> again;  // computed a second time instead of being stored
  double beside_bytes = 0;        // moved by kernels beside the products, for as long
};

// Of y = x W^T for x [M, K], W [N, K], and of its gradients.
MatmulForm forward_gemm(const Tensor& x, const Tensor& weight);
MatmulForm input_gradient_gemm(const Tensor& dy, const Tensor& weight);
MatmulForm weight_gradient_gemm(const Tensor& dy, const Tensor& weight);
// Of qkv [B, T, 3, H, d]; backward computes the scores again.
KernelGemms attention_forward_gemms(const Tensor& qkv);
KernelGemms attention_backward_gemms(const Tensor& qkv);
// Of q [B, N, H, d] and k [B, M, H, d].
KernelGemms kernel_attention_forward_gemms(const Tensor& q, const Tensor& k);
KernelGemms kernel_attention_backward_gemms(const Tensor& q, const Tensor& k);
KernelGemms mlp_forward_gemms(const Tensor& x, const MlpWeights& weights);
// Computes what lies between the products again where it was not kept.
KernelGemms mlp_backward_gemms(const Tensor& dy, const Tensor& x, const MlpHidden& hidden,
                               const MlpWeights& weights);

// Which kernel is meant: KernelTag<&LinearKernels::linear_forward>.
template <auto Kernel>
struct KernelTag {};

// Of a call with these arguments; a kernel that is not named below has none.
template <auto Kernel, class... Args>
KernelGemms gemms_of(KernelTag<Kernel>, const Args&...) {
  return {};
}

template <class... Args>
KernelGemms gemms_of(KernelTag<&LinearKernels::linear_forward>, const Tensor& x,
                     const Tensor& weight, const Args&...) {
  return {{forward_gemm(x, weight)}, {}};
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&LinearKernels::linear_backward_input>, const Tensor& dy,
                     const Tensor& weight, const Args&...) {
  return {{input_gradient_gemm(dy, weight)}, {}};
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&LinearKernels::linear_backward_weight>, const Tensor& dy,
                     const Tensor&, const GradTarget& dweight, const Args&...) {
  return {{weight_gradient_gemm(dy, dweight.tensor)}, {}};
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&LinearKernels::concat_linear_forward>, const Tensor& a,
                     const Tensor&, const Tensor& weight, const Args&...) {
  return {{forward_gemm(a, weight)}, {}};
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&LinearKernels::concat_linear_backward_input>, const Tensor& dy,
                     const Tensor& weight, const Args&...) {
  return {{input_gradient_gemm(dy, weight)}, {}};
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&LinearKernels::concat_linear_backward_weight>, const Tensor& dy,
                     const Tensor&, const Tensor&, const GradTarget& dweight, const Args&...) {
  return {{weight_gradient_gemm(dy, dweight.tensor)}, {}};
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&MlpKernels::mlp_forward>, const Tensor& x,
                     const MlpWeights& weights, const Args&...) {
  return mlp_forward_gemms(x, weights);
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&MlpKernels::mlp_backward>, const Tensor& dy, const Tensor& x,
                     const MlpHidden& hidden, const MlpWeights& weights, const Args&...) {
  return mlp_backward_gemms(dy, x, hidden, weights);
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&MlpKernels::swiglu_forward>, const Tensor& x,
                     const MlpWeights& weights, const Args&...) {
  return mlp_forward_gemms(x, weights);
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&MlpKernels::swiglu_backward>, const Tensor& dy, const Tensor& x,
                     const Tensor& hidden, const MlpWeights& weights, const Args&...) {
  return mlp_backward_gemms(dy, x, {hidden, {}}, weights);
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&AttentionKernels::attention_forward>, const Tensor& qkv,
                     const Args&...) {
  return attention_forward_gemms(qkv);
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&AttentionKernels::attention_backward>, const Tensor&,
                     const Tensor& qkv, const Args&...) {
  return attention_backward_gemms(qkv);
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&AttentionKernels::visible_attention_forward>, const Tensor& qkv,
                     const Args&...) {
  return attention_forward_gemms(qkv);
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&AttentionKernels::visible_attention_backward>, const Tensor&,
                     const Tensor& qkv, const Args&...) {
  return attention_backward_gemms(qkv);
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&KernelAttentionKernels::kernel_attention_forward>, const Tensor& q,
                     const Tensor& k, const Args&...) {
  return kernel_attention_forward_gemms(q, k);
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&KernelAttentionKernels::kernel_attention_backward>, const Tensor&,
                     const Tensor& q, const Tensor& k, const Args&...) {
  return kernel_attention_backward_gemms(q, k);
}
template <class... Args>
KernelGemms gemms_of(KernelTag<&AttentionKernels::attention_modulated_forward>, const Tensor& qkv,
                     const Args&...) {
  return attention_forward_gemms(qkv);
}

}  // namespace edt
