// What the kernels of a Winograd convolution are told (winograd.cpp).
#pragma once

#include <cstdint>

#include "core/ops/picture/convolution.h"

namespace edt {

// Tiles of the result: 2 x 2 pixels, also of a doubled picture, or 4 x 4.
enum class WinogradWay { kOf2, kOfDoubled, kOf4 };

struct WinogradTask {
  WinogradWay way = WinogradWay::kOf2;
  const void* x = nullptr;         // [N, height, width, inputs]; bf16 of tiles of 4 x 4, else float
  const float* weights = nullptr;  // [points, panels, inputs, panel]
  const float* bias = nullptr;     // [panels * panel]
  const void* zeros = nullptr;     // [inputs] of the same type, as is y
  void* y = nullptr;               // [N, result_height, result_width, outputs]
  std::int64_t height = 0, width = 0, inputs = 0;
  std::int64_t before = 0;  // rows and columns of zeros above and to the left
  std::int64_t result_height = 0, result_width = 0, outputs = 0;
  std::int64_t tile_rows = 0, tile_columns = 0;  // of a picture
  std::int64_t panel = 0, panels = 0;            // channels of the result, in parts
  ConvolutionEnd end;
};

}  // namespace edt
