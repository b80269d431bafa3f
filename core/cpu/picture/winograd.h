// 3x3 convolutions with fewer products, in float32: for 2 x 2 pixels of the result 16 of each pair
// of channels instead of 36, and 9 where the picture is doubled first (Lavin and Gray, arXiv
// 1509.09308, F(2x2, 3x3)).
#pragma once

#include <span>
#include <vector>

#include "core/cpu/scratch.h"
#include "core/ops/picture/convolution.h"
#include "core/tensor/memory.h"

namespace edt {

class WinogradConvolution {
 public:
  // Of 3x3 without a stride, with enough channels for vectors to be full.
  static bool takes(const ConvolutionForm& form);

  // weight [outputs, inputs, 3, 3], bias [outputs] or empty
  WinogradConvolution(const ConvolutionForm& form, std::span<const float> weight,
                      std::span<const float> bias);

  // x [N, H, W, inputs] of this shape, y = form.result_of(shape). Sums have one order, whatever the
  // number of threads.
  void run(const Shape& shape, const float* x, float* y, const ConvolutionEnd& end,
           Scratch& scratch) const;

 private:
  ConvolutionForm form_;
  std::int64_t panel_, panels_;  // channels of the result side by side, and how many times that
  Block weights_;                // [point, panel, input, channel of the panel]
  std::vector<float> bias_;      // [panels_ * panel_]
  std::vector<float> zeros_;     // a pixel beyond the edge
};

}  // namespace edt
