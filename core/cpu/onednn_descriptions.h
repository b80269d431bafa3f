#pragma once

#include <oneapi/dnnl/dnnl.hpp>

namespace edt {

// Descriptions of oneDNN's primitives, for both of its interfaces: version 2 (Debian 12) describes
// an operation and then its primitive, version 3 (Ubuntu 24.04) the primitive at once.

inline dnnl::matmul::primitive_desc describe_matmul(const dnnl::engine& engine,
                                                    const dnnl::memory::desc& a,
                                                    const dnnl::memory::desc& b,
                                                    const dnnl::memory::desc& c,
                                                    const dnnl::primitive_attr& attributes = {}) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, a, b, c, attributes};
#else
  return {dnnl::matmul::desc(a, b, c), attributes, engine};
#endif
}

// An activation behind a primitive: without the scale that version 2 takes.
inline void append_activation(dnnl::post_ops& post, dnnl::algorithm kind, float alpha) {
#if DNNL_VERSION_MAJOR >= 3
  post.append_eltwise(kind, alpha, 0.f);
#else
  post.append_eltwise(1.f, kind, alpha, 0.f);
#endif
}

// `before` and `after`: padding. `biases` may be empty.
struct ConvolutionOperands {
  dnnl::memory::desc in, weights, biases, out;
  dnnl::memory::dims strides, before, after;
};
inline dnnl::convolution_forward::primitive_desc describe_convolution_forward(
    const dnnl::engine& engine, const ConvolutionOperands& o,
    const dnnl::primitive_attr& attributes) {
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kKind,     kAlgorithm, o.in,    o.weights, o.biases,
          o.out,  o.strides, o.before,   o.after, attributes};
#else
  return {dnnl::convolution_forward::desc(kKind, kAlgorithm, o.in, o.weights, o.biases, o.out,
                                          o.strides, o.before, o.after),
          attributes, engine};
#endif
}

}  // namespace edt
