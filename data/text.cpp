#include "data/text.h"

#include <algorithm>

#include "core/base/error.h"

namespace edt::data {

namespace {

constexpr std::size_t kLongestEncoder = 1 << 10;

std::string or_unknown(const std::string& encoder) {
  return encoder.empty() ? "not known" : encoder;
}

std::shared_ptr<const std::vector<half_bits>> read_null(const h5::File& file,
                                                        std::uint64_t channels) {
  const h5::DataSet set = file.dataset(kNullTextName);
  require<DataError>(set.type() == h5::Type::kFloat16 && set.shape().size() == 2 &&
                         set.shape()[1] == channels && set.rows() >= 1 &&
                         set.rows() <= kMostTextTokens,
                     "shard", "{}: {} {}, expected float16 [1 to {}, {}]", set.label(),
                     set.type_name(), h5::to_string(set.shape()), kMostTextTokens, channels);
  auto values =
      std::make_shared<std::vector<half_bits>>(set.read_all<half_bits>(h5::Type::kFloat16));
  require<DataError>(halves_are_finite(*values), "shard", "{}: contains NaN or infinity",
                     set.label());
  require_text_written(*values, set.label());
  return values;
}

}  // namespace

bool halves_are_finite(const std::vector<half_bits>& values) {
  constexpr half_bits kInfinite = 0x7c00;
  return std::none_of(values.begin(), values.end(),
                      [](half_bits bits) { return (bits & kInfinite) == kInfinite; });
}

void require_text_written(std::span<const half_bits> text, const std::string& label) {
  constexpr half_bits kSign = 0x8000;
  const bool is_zero =
      std::ranges::all_of(text, [](half_bits bits) { return (bits | kSign) == kSign; });
  require<DataError>(text.empty() || !is_zero, "text",
                     "{} is zero everywhere: it was never written", label);
}

void require_text_written(std::span<const float> text, const std::string& label) {
  const bool is_zero = std::ranges::all_of(text, [](float value) { return value == 0; });
  require<DataError>(text.empty() || !is_zero, "text",
                     "{} is zero everywhere: it was never written", label);
}

std::string text_of(const TextDescription& text) {
  if (!text.present()) return "none";
  return fmt::format("up to {} tokens of {} channels, encoder {}{}", text.tokens, text.channels,
                     or_unknown(text.encoder), text.captions ? ", with captions" : "");
}

void validate(const TextDescription& text, const std::string& label) {
  if (!text.present()) return;
  require<DataError>(
      text.channels <= kMostTextChannels && text.tokens >= 1 && text.tokens <= kMostTextTokens,
      "shard", "{}: texts of {} tokens of {} channels: 1 to {} of 1 to {}", label, text.tokens,
      text.channels, kMostTextTokens, kMostTextChannels);
  require<DataError>(text.null_tokens() >= 1 && text.null_tokens() <= text.tokens &&
                         text.null->size() % text.channels == 0,
                     "shard", "{}: the null text has {} tokens, 1 to {} are needed", label,
                     text.null_tokens(), text.tokens);
  require<DataError>(halves_are_finite(*text.null), "shard",
                     "{}: the null text contains NaN or infinity", label);
  require_text_written(*text.null, label + ": the null text");
  require<DataError>(text.encoder.size() <= kLongestEncoder, "shard",
                     "{}: the name of the encoder of texts has {} bytes, {} at most", label,
                     text.encoder.size(), kLongestEncoder);
}

void write_text_description(const TextDescription& text, h5::File& file) {
  if (!text.present()) return;
  file.write_attribute("text_channels", static_cast<std::int64_t>(text.channels));
  file.write_attribute("text_tokens", static_cast<std::int64_t>(text.tokens));
  if (!text.encoder.empty()) file.write_attribute("text_encoder", text.encoder);
  file.create_dataset(kNullTextName, h5::Type::kFloat16, {text.null_tokens(), text.channels})
      .write(h5::Type::kFloat16, text.null->data());
}

TextDescription read_text_description(const h5::File& file) {
  TextDescription text;
  if (!file.has(kTextBeginName)) return text;
  const h5::DataSet set = file.dataset(kTextName);
  require<DataError>(set.type() == h5::Type::kFloat16 && set.shape().size() == 2 &&
                         set.shape()[1] >= 1 && set.shape()[1] <= kMostTextChannels,
                     "shard", "{}: {} {}, expected float16 [tokens, channels]", set.label(),
                     set.type_name(), h5::to_string(set.shape()));
  text.channels = set.shape()[1];
  if (file.has_attribute("text_channels")) {
    const std::int64_t said = file.read_int("text_channels");
    require<DataError>(said == static_cast<std::int64_t>(text.channels), "shard",
                       "{}text_channels is {}, {} has {}", file.label(), said, set.label(),
                       h5::to_string(set.shape()));
  }
  text.null = read_null(file, text.channels);
  if (file.has_attribute("text_tokens")) {
    const std::int64_t said = file.read_int("text_tokens");
    require<DataError>(said >= static_cast<std::int64_t>(text.null_tokens()) &&
                           said <= static_cast<std::int64_t>(kMostTextTokens),
                       "shard",
                       "{}text_tokens is {}: {}, which are those of the null text, to {} can be",
                       file.label(), said, text.null_tokens(), kMostTextTokens);
    text.tokens = static_cast<std::uint64_t>(said);
  }
  if (file.has_attribute("text_encoder")) text.encoder = file.read_string("text_encoder");
  text.captions = file.has(kCaptionsName);
  return text;
}

void require_same(const TextDescription& a, const std::string& file_a, const TextDescription& b,
                  const std::string& file_b) {
  const auto check = [&](bool same, const char* what, const std::string& x, const std::string& y) {
    require<DataError>(same, "shard", "{}: {} {}, but {} has {}", file_b, what, y, file_a, x);
  };
  check(a.channels == b.channels, "texts of channels:", fmt::to_string(a.channels),
        fmt::to_string(b.channels));
  if (!a.present()) return;
  check(a.encoder == b.encoder, "encoder of texts:", or_unknown(a.encoder), or_unknown(b.encoder));
  check(a.captions == b.captions, "captions:", a.captions ? "yes" : "no",
        b.captions ? "yes" : "no");
  check(a.null_tokens() == b.null_tokens(), "null text of tokens:", fmt::to_string(a.null_tokens()),
        fmt::to_string(b.null_tokens()));
  if (a.null == b.null || *a.null == *b.null) return;
  const auto at = std::ranges::mismatch(*a.null, *b.null);
  const auto element = static_cast<std::uint64_t>(at.in1 - a.null->begin());
  check(
      false,
      fmt::format("null text: value {} of token {} is", element % a.channels, element / a.channels)
          .c_str(),
      fmt::to_string(half_to_float(*at.in1)), fmt::to_string(half_to_float(*at.in2)));
}

}  // namespace edt::data
