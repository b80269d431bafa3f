// What the kernels of a Winograd convolution are told (winograd.cpp).
#pragma once

#include <cstdint>

#include "core/ops/picture/convolution.h"

namespace edt {

struct WinogradTask {
  const float* x = nullptr;        // [N, height, width, inputs]
  const float* weights = nullptr;  // [points, panels, inputs, panel]
  const float* bias = nullptr;     // [panels * panel]
  const float* zeros = nullptr;    // [inputs]
  float* y = nullptr;              // [N, result_height, result_width, outputs]
  std::int64_t height = 0, width = 0, inputs = 0;
  std::int64_t before = 0;  // rows and columns of zeros above and to the left
  std::int64_t result_height = 0, result_width = 0, outputs = 0;
  std::int64_t tile_rows = 0, tile_columns = 0;  // of a picture
  std::int64_t panel = 0, panels = 0;            // channels of the result, in parts
  bool doubled = false;
  ConvolutionEnd end;
};

}  // namespace edt
