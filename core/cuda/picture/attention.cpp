// Bands of queries: scores by a product, their softmax, and the product with the values.
#include <cmath>

#include "core/cuda/backend.h"
#include "core/cuda/kernels/picture.h"
#include "core/cuda/typed.h"

namespace edt {
namespace {

constexpr std::int64_t kScores = 1 << 24;  // of a band: 64 MiB

std::byte* wide_row(const Tensor& t, std::int64_t row) {
  return static_cast<std::byte*>(t.data) +
         static_cast<std::size_t>(row * t.shape[2]) * size_of(t.dtype);
}

}  // namespace

void CudaBackend::wide_attention(T q, T k, T v, T y) {
  const DType dtype = element_of(q);
  const std::int64_t tokens = q.shape[1], width = q.shape[2];
  const std::int64_t band = std::clamp<std::int64_t>(kScores / tokens, 1, tokens);
  float* scores = scratch_.floats(ScratchSlot::kPatches, band * tokens);
  void* weights = scores;
  if (dtype == DType::kBFloat16) {
    weights = scratch_.bytes(ScratchSlot::kHidden, static_cast<std::size_t>(2 * band * tokens));
  }
  const float scale = 1.0f / std::sqrt(static_cast<float>(width));
  for (std::int64_t n = 0; n < q.shape[0]; ++n) {
    for (std::int64_t first = 0; first < tokens; first += band) {
      const std::int64_t rows = std::min(band, tokens - first);
      matmul_.run({.m = rows,
                   .n = tokens,
                   .k = width,
                   .a = wide_row(q, n * tokens + first),
                   .b = wide_row(k, n * tokens),
                   .b_transposed = true,
                   .in = dtype,
                   .y = scores,
                   .out = DType::kFloat32});
      launch_softmax(stream(), scores, rows, tokens, scale, dtype, weights);
      matmul_.run({.m = rows,
                   .n = width,
                   .k = tokens,
                   .a = weights,
                   .b = wide_row(v, n * tokens),
                   .in = dtype,
                   .y = wide_row(y, n * tokens + first),
                   .out = dtype});
    }
  }
}

void CudaBackend::relu_linear_attention(T qkv, std::int64_t size, double epsilon, T y) {
  check_batch("relu_linear_attention", qkv.shape[0]);
  require<NotImplemented>(size <= kWidestLinearHead, "cuda",
                          "relu_linear_attention: heads of {}, at most {}", size,
                          kWidestLinearHead);
  launch_relu_linear_attention(stream(), {.dtype = element_of(qkv),
                                          .batch = qkv.shape[0],
                                          .tokens = qkv.shape[1],
                                          .heads = qkv.shape[2] / (3 * size),
                                          .size = size,
                                          .epsilon = static_cast<float>(epsilon),
                                          .qkv = qkv.data,
                                          .y = y.data});
}

}  // namespace edt
