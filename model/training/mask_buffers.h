// The masks of a micro-batch among its inputs, drawn anew for each.
#pragma once

#include <vector>

#include "model/training/draws.h"
#include "model/training/input_buffers.h"

namespace edt {

class MaskBuffers {
 public:
  // For micro-batches of `batch` samples; room for any draw is taken in `inputs`.
  MaskBuffers(const Model& model, InputBuffers& inputs, std::int64_t batch);

  // Fills the inputs with the masks of the samples at `positions`.
  void draw(StepKey key, std::span<const std::int32_t> positions);
  // Of the last draw, on the device.
  const PassMasks& masks() const { return masks_; }

 private:
  void draw_token_masks(StepKey key, std::span<const std::int32_t> positions);
  void draw_visible(StepKey key, std::span<const std::int32_t> positions);

  const Model& model_;
  InputBuffers& inputs_;
  std::vector<std::size_t> keep_;     // rows of the full pass, then those of the masked one
  std::size_t ids_ = 0, places_ = 0;  // [B, most that may be visible], [B, tokens]
  PassMasks masks_;
};

}  // namespace edt
