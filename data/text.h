// Texts beside latents, as the features that a frozen encoder gives of their tokens. Texts differ
// in length, so a shard has the features of all of them one after the other, without padding.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/storage/half.h"
#include "core/storage/hdf5.h"

namespace edt::data {

// Objects of a file, and the names under which a data set is asked for texts.
inline constexpr const char *kTextName = "text", *kTextBeginName = "text_begin",
                            *kNullTextName = "null_text", *kCaptionsName = "captions";
inline constexpr const char *kTextRequest = "text", *kTextLengthRequest = "text-length";

inline constexpr std::uint64_t kMostTextTokens = 1 << 16, kMostTextChannels = 1 << 16;
inline constexpr std::size_t kLongestCaption = 1 << 16;  // bytes

// What all texts of a set have in common.
struct TextDescription {
  std::uint64_t channels = 0;  // features of a token; 0: there are no texts
  // Of the longest text, the null text among them, or more. 0: not said.
  std::uint64_t tokens = 0;
  std::string encoder;    // what gave the features; empty: not known
  bool captions = false;  // the words are kept too
  // Features of the empty prompt [null_tokens(), channels]. Shared, since all shards have the same.
  std::shared_ptr<const std::vector<half_bits>> null = {};

  bool present() const { return channels > 0; }
  std::uint64_t null_tokens() const { return null ? null->size() / channels : 0; }
};

// "up to 77 tokens of 768 channels, encoder X, with captions"; "none".
std::string text_of(const TextDescription& text);

// DataError naming `label` and the value.
void validate(const TextDescription& text, const std::string& label);

void write_text_description(const TextDescription& text, h5::File& file);
// Of a file without /text_begin: none. DataError where one of the others is missing then or has
// another type or shape.
TextDescription read_text_description(const h5::File& file);

// DataError naming both files and both values unless they are of one set.
void require_same(const TextDescription& first, const std::string& first_file,
                  const TextDescription& other, const std::string& other_file);

// Of some samples, as they are stored.
struct StoredTexts {
  std::vector<half_bits> features;    // [sum of tokens, channels], one text after the other
  std::vector<std::uint64_t> tokens;  // of each text
  std::vector<std::string> captions;  // of each, where they are kept
  void clear() { features.clear(), tokens.clear(), captions.clear(); }
};

// DataError, naming `label`, where a text is zero everywhere: its place was never written, and a
// network would take it for one that says something.
void require_text_written(std::span<const half_bits> text, const std::string& label);
void require_text_written(std::span<const float> text, const std::string& label);

// False where one is NaN or infinite.
bool halves_are_finite(const std::vector<half_bits>& values);

}  // namespace edt::data
