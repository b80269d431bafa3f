// 3x3 convolutions with fewer products (Lavin and Gray, arXiv 1509.09308), summed in float32. Of
// float32 pictures F(2x2, 3x3): for 2 x 2 pixels of the result 16 of each pair of channels instead
// of 36, and 9 where the picture is doubled first. Of bf16 pictures F(4x4, 3x3): 36 instead of 144,
// whose rounding, ten times that of float32, is nothing beside bf16's.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/cpu/picture/winograd_task.h"
#include "core/cpu/scratch.h"
#include "core/ops/picture/convolution.h"
#include "core/tensor/memory.h"

namespace edt {

class WinogradConvolution {
 public:
  // How, of 3x3 without a stride, with enough channels for vectors to be full; nothing: the library
  // is better.
  static std::optional<WinogradWay> way_of(const ConvolutionForm& form, DType dtype);

  // weight [outputs, inputs, 3, 3], bias [outputs] or empty
  WinogradConvolution(const ConvolutionForm& form, WinogradWay way, std::span<const float> weight,
                      std::span<const float> bias);

  // x [N, H, W, inputs] of this shape, y = form.result_of(shape), of the type that the way was
  // asked for. Sums have one order, whatever the number of threads.
  void run(const Shape& shape, const void* x, void* y, const ConvolutionEnd& end,
           Scratch& scratch) const;

 private:
  ConvolutionForm form_;
  WinogradWay way_;
  std::int64_t panel_, panels_;  // channels of the result side by side, and how many times that
  Block weights_;                // [point, panel, input, channel of the panel]
  std::vector<float> bias_;      // [panels_ * panel_]
  std::vector<float> zeros_;     // a pixel beyond the edge
};

}  // namespace edt
