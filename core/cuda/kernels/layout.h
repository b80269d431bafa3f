// Rearrangements between images, patches and token grids.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

// Where the channels of a pixel of a token lie.
enum class PatchOrder { kChannelFirst, kChannelLast };

struct PatchCall {
  DType dtype = DType::kFloat32;  // of the tokens; images are float32
  PatchOrder order = PatchOrder::kChannelFirst;
  int channels = 0, height = 0, width = 0, patch = 0;
  std::int64_t pixels = 0;  // batch * channels * height * width
};

// tokens = image
void launch_patchify(cudaStream_t stream, const PatchCall& call, const float* image, void* tokens);
// image = tokens
void launch_unpatchify(cudaStream_t stream, const PatchCall& call, const void* tokens,
                       float* image);

// x [batch, rows * columns, 4 C] and y [batch, 4 * rows * columns, C] on the doubled grid
struct ShuffleCall {
  DType dtype = DType::kFloat32;
  int rows = 0, columns = 0;
  std::int64_t channels = 0, elements = 0;
};
void launch_shuffle(cudaStream_t stream, const ShuffleCall& call, const void* x, void* y);
// dx (+)= dy, back
void launch_unshuffle(cudaStream_t stream, const ShuffleCall& call, const void* dy, void* dx,
                      bool accumulate);

struct MaskCall {
  DType dtype = DType::kFloat32;
  std::int64_t tokens = 0, width = 0, elements = 0;
  const float* mask = nullptr;
};
// y = mask ? x : positions
void launch_mask(cudaStream_t stream, const MaskCall& call, const void* x, const void* positions,
                 void* y);
// dx (+)= mask ? dy : 0
void launch_mask_backward(cudaStream_t stream, const MaskCall& call, const void* dy, void* dx,
                          bool accumulate);

// y [b, a, columns] (+)= x [a, b, columns]
struct SwapCall {
  DType dtype = DType::kFloat32;
  std::int64_t a = 0, b = 0, columns = 0;
};
void launch_swap(cudaStream_t stream, const SwapCall& call, const void* x, void* y,
                 bool accumulate);

// x_t = scales[b][0] x_start + scales[b][1] noise, float32
void launch_add_noise(cudaStream_t stream, const float* x_start, const float* noise,
                      const float* scales, float* x_t, std::int64_t batch, std::int64_t per_sample);

}  // namespace edt
