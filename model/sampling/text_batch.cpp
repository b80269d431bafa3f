#include "model/sampling/text_batch.h"

#include "core/base/error.h"

namespace edt {
namespace {

void check_text(std::string_view what, std::span<const float> features, const Model& model) {
  const TextConfig& text = model.text();
  const auto values = static_cast<std::int64_t>(features.size());
  require<UsageError>(values % text.channels == 0, "sample",
                      "{} has {} values, {} reads tokens of {}", what, values, model.name(),
                      text.channels);
  require<UsageError>(values <= text.tokens * text.channels, "sample",
                      "{} has {} tokens, {} reads up to {}", what, values / text.channels,
                      model.name(), text.tokens);
}

std::string name_of_text(std::int64_t picture) {
  return fmt::format("the text of picture {}", picture);
}

}  // namespace

void RequestedTexts::check(const Model& model) const {
  const bool reads = model.text().is_on();
  require<UsageError>(reads || !of, "sample", "texts are given, and {} reads none", model.name());
  require<UsageError>(!reads || of, "sample", "{} reads texts, and none are given", model.name());
  if (reads) check_text("the null text", null, model);
}

void RequestedTexts::check_each(const Model& model, std::int64_t pictures) const {
  check(model);
  for (std::int64_t picture = 0; of && picture < pictures; ++picture) {
    check_text(name_of_text(picture), of(picture), model);
  }
}

TextBatch::TextBatch(const RequestedTexts& texts, const Model& model, const Pictures& pictures) {
  const TextConfig& config = model.text();
  if (!config.is_on()) return;
  std::vector<float> text;
  for (std::int64_t row = 0; row < pictures.rows; ++row) {
    const std::int64_t picture = pictures.first + row;
    if (picture < pictures.last) text = texts.of(picture);
    check_text(name_of_text(picture), text, model);
    append(text, config);
  }
  for (std::int64_t row = 0; pictures.guided && row < pictures.rows; ++row) {
    append(texts.null, config);
  }
}

void TextBatch::append(std::span<const float> features, const TextConfig& config) {
  features_.insert(features_.end(), features.begin(), features.end());
  lengths_.push_back(
      static_cast<std::int32_t>(static_cast<std::int64_t>(features.size()) / config.channels));
  features_.resize(lengths_.size() * static_cast<std::size_t>(config.tokens * config.channels));
}

TextRows TextBatch::rows(std::int64_t rows) const {
  if (lengths_.empty()) return {};
  const auto count = static_cast<std::size_t>(rows);
  return {std::span(features_).first(features_.size() / lengths_.size() * count),
          std::span(lengths_).first(count)};
}

}  // namespace edt
