#include "data/caption_encoder.h"

#include <array>
#include <cmath>

#include "core/random/stream.h"
#include "core/storage/checksum.h"

namespace edt::data {

namespace {

// Of Purpose::kSynthetic; pictures of classes have step 0.
constexpr std::uint32_t kWords = 2;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

void append_word(const std::string& word, std::vector<half_bits>& out) {
  std::array<float, kCaptionChannels> values;
  const std::uint64_t key = checksum_of(std::span<const char>(word));
  random::fill_normal({key, random::Purpose::kSynthetic, kWords, 0}, values);
  double square = 0;
  for (const float value : values) square += double{value} * value;
  for (const float value : values) {
    out.push_back(float_to_half(static_cast<float>(value / std::sqrt(square))));
  }
}

std::vector<half_bits> features_of(std::string_view caption) {
  std::vector<half_bits> out;
  for (const std::string& word : caption_words(caption)) append_word(word, out);
  if (out.empty()) append_word("", out);
  return out;
}

}  // namespace

std::vector<std::string> caption_words(std::string_view caption) {
  std::vector<std::string> words;
  bool within = false;
  for (char c : caption) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (is_letter(c)) {
      if (!within) words.emplace_back();
      words.back() += c;
    }
    within = is_letter(c);
  }
  return words;
}

std::vector<float> encode_caption(std::string_view caption) {
  const std::vector<half_bits> halves = features_of(caption);
  std::vector<float> out(halves.size());
  half_to_float(halves, out);
  return out;
}

TextDescription caption_texts(std::uint64_t tokens, bool captions) {
  return {.channels = kCaptionChannels,
          .tokens = tokens,
          .encoder = kCaptionEncoder,
          .captions = captions,
          .null = std::make_shared<std::vector<half_bits>>(features_of(""))};
}

void append_caption(const std::string& caption, bool words, StoredTexts& out) {
  const std::vector<half_bits> features = features_of(caption);
  out.features.insert(out.features.end(), features.begin(), features.end());
  out.tokens.push_back(features.size() / kCaptionChannels);
  if (words) out.captions.push_back(caption);
}

}  // namespace edt::data
