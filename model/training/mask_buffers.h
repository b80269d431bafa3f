// The masks of a training step in device memory, drawn anew for every micro-batch.
#pragma once

#include <vector>

#include "core/ops/backend.h"
#include "model/training/draws.h"

namespace edt {

class MaskBuffers {
 public:
  // For micro-batches of `batch` samples; memory for any draw is taken once, here.
  MaskBuffers(const Model& model, Backend& backend, std::int64_t batch);

  // The masks of the samples at `positions`. They stay valid until the next draw.
  const PassMasks& draw(StepKey key, std::span<const std::int32_t> positions);

 private:
  void draw_token_masks(StepKey key, std::span<const std::int32_t> positions);
  void draw_kept(StepKey key, std::span<const std::int32_t> positions);
  Tensor buffer(const Shape& shape, DType dtype);

  const Model& model_;
  Backend& backend_;
  std::vector<Block> memory_;
  std::vector<std::vector<float>> keep_;    // on the host: rows of the full pass, then the masked
  std::vector<std::int32_t> ids_, places_;  // on the host
  Tensor device_ids_;                       // [B, most that are kept]
  PassMasks masks_;
};

}  // namespace edt
