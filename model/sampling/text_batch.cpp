#include "model/sampling/text_batch.h"

#include <algorithm>

#include "core/base/error.h"

namespace edt {
namespace {

void check_text(const char* what, std::span<const float> features, const Model& model) {
  const TextConfig& text = model.text();
  const auto values = static_cast<std::int64_t>(features.size());
  require<UsageError>(values % text.channels == 0, "sample",
                      "{} has {} values, {} reads tokens of {}", what, values, model.name(),
                      text.channels);
  require<UsageError>(values <= text.tokens * text.channels, "sample",
                      "{} has {} tokens, {} reads up to {}", what, values / text.channels,
                      model.name(), text.tokens);
}

}  // namespace

void RequestedTexts::check(const Model& model, std::size_t pictures, bool guided) const {
  if (!model.text().is_on()) {
    require<UsageError>(features.empty(), "sample", "{} texts are given, and {} reads none",
                        features.size(), model.name());
    return;
  }
  require<UsageError>(!features.empty(), "sample", "{} reads texts, and none are given",
                      model.name());
  require<UsageError>(features.size() == pictures || features.size() == 1, "sample",
                      "{} texts are given for {} pictures: as many, or one, are needed",
                      features.size(), pictures);
  for (const std::vector<float>& one : features) check_text("a text", one, model);
  if (guided) check_text("the null text", null, model);
}

TextBatch::TextBatch(const RequestedTexts& texts, const TextConfig& config, std::int64_t first,
                     std::int64_t rows, bool guided) {
  if (!config.is_on()) return;
  const std::size_t last = texts.features.size() - 1;
  for (std::int64_t row = 0; row < rows; ++row) {
    append(texts.features[std::min(static_cast<std::size_t>(first + row), last)], config);
  }
  for (std::int64_t row = 0; guided && row < rows; ++row) append(texts.null, config);
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
