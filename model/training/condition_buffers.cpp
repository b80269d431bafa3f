#include "model/training/condition_buffers.h"

#include <algorithm>

#include "core/base/error.h"

namespace edt {
namespace {

template <class To, class From>
void copy_rows(std::span<const From> values, std::size_t row, std::size_t rows, std::span<To> to) {
  std::transform(values.begin(), values.end(),
                 to.begin() + static_cast<std::ptrdiff_t>(row * values.size() / rows),
                 [](From value) { return static_cast<To>(value); });
}

}  // namespace

ConditionBuffers::ConditionBuffers(const Model& model, InputBuffers& inputs, std::int64_t rows)
    : model_(model), inputs_(inputs) {
  const TextConfig& text = model.text();
  if (text.is_on()) {
    text_ = {inputs.add({rows, text.tokens, text.channels}, DType::kFloat32),
             inputs.add({rows}, DType::kInt32)};
  }
  if (const std::int64_t channels = model.frame_channels(); channels > 0) {
    frames_ = inputs.add({rows, model.patches().tokens(), channels}, DType::kFloat32);
  }
}

void ConditionBuffers::set_null_text(std::vector<float> features) {
  const TextConfig& text = model_.text();
  const auto channels = static_cast<std::size_t>(text.channels);
  require<UsageError>(features.size() % channels == 0 &&
                          features.size() <= static_cast<std::size_t>(text.tokens) * channels,
                      "text", "the null text has {} values, {} reads up to {} tokens of {} each",
                      features.size(), model_.name(), text.tokens, text.channels);
  null_text_ = std::move(features);
}

void ConditionBuffers::fill(const Rows& rows, StepKey key, random::Purpose purpose, float dropout) {
  if (text_) fill_texts(rows, key, purpose, dropout);
  if (frames_) {
    const std::size_t place = text_ ? 2 : 0;
    copy_rows(rows.arrays[place], rows.first, rows.positions.size(), inputs_.host<float>(*frames_));
  }
}

void ConditionBuffers::fill_texts(const Rows& rows, StepKey key, random::Purpose purpose,
                                  float dropout) {
  const std::size_t count = rows.positions.size();
  const auto features = inputs_.host<float>(text_->features);
  const auto lengths = inputs_.host<std::int32_t>(text_->lengths).subspan(rows.first, count);
  copy_rows(rows.arrays[0], rows.first, count, features);
  copy_rows(rows.arrays[1], 0, count, lengths);
  const auto channels = static_cast<std::size_t>(model_.text().channels);
  const std::size_t size = rows.arrays[0].size() / count;
  for (std::size_t b = 0; b < count; ++b) {
    if (!is_dropped(key, purpose, rows.positions[b], dropout)) continue;
    const auto row = features.subspan((rows.first + b) * size, size);
    std::fill(std::ranges::copy(null_text_, row.begin()).out, row.end(), 0.f);
    lengths[b] = static_cast<std::int32_t>(null_text_.size() / channels);
  }
}

TextInputs ConditionBuffers::text(std::int64_t rows) {
  if (!text_) return {};
  return {inputs_.tensor(text_->features).slice(0, rows),
          inputs_.tensor(text_->lengths).slice(0, rows)};
}

Tensor ConditionBuffers::frames(std::int64_t rows) {
  return frames_ ? inputs_.tensor(*frames_).slice(0, rows) : Tensor{};
}

}  // namespace edt
