// Kernels of pictures [N, H, W, C]: what a convolution sees as a matrix, norms, softmax, and
// rearrangements of channels.
#pragma once

#include "core/cuda/kernels/launch.h"
#include "core/ops/picture/activation.h"
#include "core/ops/picture/pool_form.h"

namespace edt {

struct PatchesCall {
  DType dtype = DType::kFloat32;
  const void* x = nullptr;
  std::int64_t height = 0, width = 0, channels = 0;  // of x
  std::int64_t kernel_rows = 1, kernel_columns = 1, stride = 1;
  std::int64_t top = 0, left = 0;  // rows and columns of zeros
  bool doubled = false;
  std::int64_t out_height = 0, out_width = 0;
  // Pixels of the result, counted through [N, out_height, out_width], and how many.
  std::int64_t first = 0, rows = 0;
};
// patches [rows, kernel_rows, kernel_columns, channels]
void launch_patches(cudaStream_t stream, const PatchesCall& call, void* patches);

// Convolutions in groups, value by value: `patches` says the geometry. weight [kernel_rows,
// kernel_columns, channels / groups, outputs], bias [outputs] or null, both of dtype.
struct GroupedCall {
  PatchesCall patches;
  std::int64_t outputs = 0, groups = 1;
  const void *weight = nullptr, *bias = nullptr;
  void* y = nullptr;
  bool add = false;
  PictureActivation activation = PictureActivation::kNone;
};
void launch_grouped_convolution(cudaStream_t stream, const GroupedCall& call);

// y = f(y)
void launch_picture_activation(cudaStream_t stream, DType dtype, PictureActivation activation,
                               void* y, std::int64_t n);

struct GroupNormCall {
  DType in = DType::kFloat32, out = DType::kFloat32;
  const void* x = nullptr;
  void* y = nullptr;
  std::int64_t batch = 0, pixels = 0, channels = 0, groups = 1;
  std::int64_t slice = 0, slices = 0;  // pixels of a slice, and how many there are
  const float *weight = nullptr, *bias = nullptr;
  float epsilon = 0;
  PictureActivation activation = PictureActivation::kNone;
  float* moments = nullptr;  // [batch, slices, 2, channels]
  float* factors = nullptr;  // [batch, 2, channels]: mean, factor
};
void launch_group_norm(cudaStream_t stream, const GroupNormCall& call);

struct RmsNormCall {
  DType in = DType::kFloat32, out = DType::kFloat32;
  const void *x = nullptr, *residual = nullptr;  // residual: of `out`, or null
  void* y = nullptr;
  std::int64_t pixels = 0, channels = 0;
  const float *weight = nullptr, *bias = nullptr;
  float epsilon = 0;
  PictureActivation activation = PictureActivation::kNone;
};
void launch_channel_rms_norm(cudaStream_t stream, const RmsNormCall& call);

// p [rows, n] = softmax(scale * s), p of dtype; it may be s where that is float32.
void launch_softmax(cudaStream_t stream, float* s, std::int64_t rows, std::int64_t n, float scale,
                    DType dtype, void* p);

inline constexpr std::int64_t kWidestLinearHead = 64;
struct LinearAttentionCall {
  DType dtype = DType::kFloat32;
  std::int64_t batch = 0, tokens = 0, heads = 0, size = 0;
  float epsilon = 0;
  const void* qkv = nullptr;
  void* y = nullptr;
};
void launch_relu_linear_attention(cudaStream_t stream, const LinearAttentionCall& call);

// Between a large picture [N, r h, r w, C] and a small one [N, h, w, .]
struct PixelFoldCall {
  DType dtype = DType::kFloat32;
  std::int64_t r = 1, group = 1;                     // or repeats
  std::int64_t height = 0, width = 0, channels = 0;  // of the large picture
  std::int64_t small_channels = 0;
  std::int64_t elements = 0;  // of the result
};
void launch_fold_pixels(cudaStream_t stream, const PixelFoldCall& call, const void* x, void* y);
void launch_unfold_pixels(cudaStream_t stream, const PixelFoldCall& call, const void* x, void* y);

struct PoolCall {
  DType dtype = DType::kFloat32;
  PoolKind kind = PoolKind::kMax;
  std::int64_t height = 0, width = 0, channels = 0;  // of x
  std::int64_t kernel_rows = 1, kernel_columns = 1, stride = 1, padding = 0;
  std::int64_t out_height = 0, out_width = 0;
  std::int64_t elements = 0;  // of y
};
void launch_pool(cudaStream_t stream, const PoolCall& call, const void* x, void* y);

// y [rows, channels] = x [rows, 2 channels], first half times silu of the second
void launch_gated_silu(cudaStream_t stream, DType dtype, const void* x, void* y, std::int64_t rows,
                       std::int64_t channels);
// y [rows, a_columns + b_columns]
void launch_join_columns(cudaStream_t stream, DType dtype, const void* a, std::int64_t a_columns,
                         const void* b, std::int64_t b_columns, void* y, std::int64_t rows);

}  // namespace edt
