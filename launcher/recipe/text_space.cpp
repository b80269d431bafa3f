#include "launcher/recipe/text_space.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/json/json_text.h"
#include "core/storage/checksum.h"

namespace edt {
namespace {

std::string known_or_empty(const std::string& encoder) {
  return encoder == kUnknownEncoder ? "" : encoder;
}

std::string null_checksum_in(const CheckpointInfo& info) {
  const auto extra = try_parse_json(info.extra);
  if (!extra.is_object() || !extra.contains(kDataIdentity)) return "";
  const auto& data = extra[kDataIdentity];
  if (!data.is_object() || !data.contains(kNullTextIdentity)) return "";
  const auto& checksum = data[kNullTextIdentity];
  return checksum.is_string() ? checksum.get<std::string>() : "";
}

}  // namespace

TextSpace TextSpace::of(const data::TextDescription& texts, const std::string& source) {
  return {.encoder = known_or_empty(texts.encoder),
          .null_checksum =
              texts.null ? checksum_text(checksum_of(std::span<const half_bits>(*texts.null))) : "",
          .source = source};
}

TextSpace TextSpace::of(const ModelOptions& model, const TrainedWeights& weights) {
  return {.encoder = known_or_empty(model.text.encoder),
          .null_checksum = null_checksum_in(weights.info()),
          .source = weights.path().string()};
}

void TextSpace::require_same(const TextSpace& texts, const std::string& option) const {
  require<UsageError>(encoder.empty() || texts.encoder.empty() || encoder == texts.encoder,
                      "sample", "{}: texts of the encoder '{}', the model was trained with '{}'",
                      option, texts.encoder, encoder);
  require<UsageError>(
      null_checksum.empty() || texts.null_checksum.empty() || null_checksum == texts.null_checksum,
      "sample",
      "{}: its null text has checksum {}, that which the model was trained with, "
      "of {}, has {}",
      option, texts.null_checksum, source, null_checksum);
}

std::vector<std::string> TextSpace::not_compared(const TextSpace& texts,
                                                 const std::string& option) const {
  std::vector<std::string> lines;
  if (!encoder.empty() && texts.encoder.empty()) {
    lines.push_back(fmt::format(
        "{}: text_encoder is not there: whether its texts are of '{}', which the model was "
        "trained with, is not known",
        option, encoder));
  }
  if (null_checksum.empty() || texts.null_checksum.empty()) {
    lines.push_back(fmt::format(
        "{}: {} does not say beside which null text it was trained: whether this one is the same "
        "is not known",
        option, null_checksum.empty() ? source : texts.source));
  }
  return lines;
}

}  // namespace edt
