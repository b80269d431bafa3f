#include "model/training/mask_buffers.h"

#include <cmath>

namespace edt {
namespace {

std::int64_t kept_tokens(const MaskSpec& spec, float ratio) {
  return static_cast<std::int64_t>(static_cast<float>(spec.tokens) * (1.0f - ratio));
}

}  // namespace

MaskBuffers::MaskBuffers(const Model& model, Backend& backend, std::int64_t batch)
    : model_(model), backend_(backend) {
  for (const MaskSpec& mask : model.masks()) {
    const Shape rows{2 * batch, mask.tokens};  // those of the full pass keep every token
    masks_.keep.push_back(buffer(rows, DType::kFloat32));
    keep_.emplace_back(static_cast<std::size_t>(rows.elements()), 1.f);
  }
  if (const auto& spec = model.dropping()) {
    device_ids_ = buffer({batch, kept_tokens(*spec, spec->low)}, DType::kInt32);
    masks_.kept.places = buffer({batch, spec->tokens}, DType::kInt32);
    masks_.kept.grid = std::lround(std::sqrt(static_cast<double>(spec->tokens)));
    ids_.resize(static_cast<std::size_t>(device_ids_.elements()));
    places_.resize(static_cast<std::size_t>(batch * spec->tokens));
  }
}

Tensor MaskBuffers::buffer(const Shape& shape, DType dtype) {
  Tensor tensor{nullptr, shape, dtype};
  tensor.data = memory_.emplace_back(backend_.memory(), tensor.bytes()).data();
  return tensor;
}

const PassMasks& MaskBuffers::draw(StepKey key, std::span<const std::int32_t> positions) {
  model_.dropping() ? draw_kept(key, positions) : draw_token_masks(key, positions);
  return masks_;
}

void MaskBuffers::draw_token_masks(StepKey key, std::span<const std::int32_t> positions) {
  std::vector<std::span<float>> masked_rows;
  for (std::vector<float>& rows : keep_) {
    masked_rows.push_back(std::span(rows).last(rows.size() / 2));
  }
  draw_masks(key, model_.masks(), positions, masked_rows);
  for (std::size_t m = 0; m < keep_.size(); ++m) {
    backend_.copy(view_of(std::span(keep_[m]), masks_.keep[m].shape), masks_.keep[m]);
  }
}

// All micro-batches of a step keep the same number of tokens: no rank waits for another, and the
// step does not depend on how the batch is cut.
void MaskBuffers::draw_kept(StepKey key, std::span<const std::int32_t> positions) {
  const MaskSpec& spec = *model_.dropping();
  const std::int64_t kept = kept_tokens(spec, mask_ratio(key, {spec}, 0));
  const auto batch = static_cast<std::int64_t>(positions.size());
  const std::span<std::int32_t> ids = std::span(ids_).first(static_cast<std::size_t>(batch * kept));
  draw_kept_tokens(key, spec, positions, kept, ids, places_);
  masks_.kept.ids = {device_ids_.data, {batch, kept}, DType::kInt32};
  backend_.copy(view_of(ids, {batch, kept}), masks_.kept.ids);
  backend_.copy(view_of(std::span(places_), masks_.kept.places.shape), masks_.kept.places);
}

}  // namespace edt
