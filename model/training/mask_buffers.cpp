#include "model/training/mask_buffers.h"

#include <algorithm>

namespace edt {

MaskBuffers::MaskBuffers(const Model& model, InputBuffers& inputs, std::int64_t batch)
    : model_(model), inputs_(inputs) {
  for (const MaskSpec& mask : model.masks()) {
    keep_.push_back(inputs.add({2 * batch, mask.tokens}, DType::kFloat32));
  }
  if (const auto& spec = model.dropping()) {
    ids_ = inputs.add({batch, spec->visible(spec->low)}, DType::kInt32);
    places_ = inputs.add({batch, spec->tokens}, DType::kInt32);
    masks_.visible.grid = model.patches();
  }
}

void MaskBuffers::draw(StepKey key, std::span<const std::int32_t> positions) {
  model_.dropping() ? draw_visible(key, positions) : draw_token_masks(key, positions);
}

// Rows of the full pass keep every token.
void MaskBuffers::draw_token_masks(StepKey key, std::span<const std::int32_t> positions) {
  std::vector<std::span<float>> masked_rows;
  masks_.keep.clear();
  for (const std::size_t keep : keep_) {
    const std::span<float> rows = inputs_.host<float>(keep);
    std::ranges::fill(rows.first(rows.size() / 2), 1.f);
    masked_rows.push_back(rows.last(rows.size() / 2));
    masks_.keep.push_back(inputs_.tensor(keep));
  }
  draw_masks(key, model_.masks(), positions, masked_rows);
}

// All micro-batches of a step keep the same number of tokens: no rank waits for another, and the
// step does not depend on how the batch is cut.
void MaskBuffers::draw_visible(StepKey key, std::span<const std::int32_t> positions) {
  const MaskSpec& spec = *model_.dropping();
  const std::int64_t visible = spec.visible(mask_ratio(key, {spec}, 0));
  const auto batch = static_cast<std::int64_t>(positions.size());
  const auto ids =
      inputs_.host<std::int32_t>(ids_).first(static_cast<std::size_t>(batch * visible));
  draw_visible_tokens(key, spec, positions, visible, ids, inputs_.host<std::int32_t>(places_));
  masks_.visible.ids = {inputs_.tensor(ids_).data, {batch, visible}, DType::kInt32};
  masks_.visible.places = inputs_.tensor(places_);
}

}  // namespace edt
