// A small fixed encoder of captions: each word is a unit vector of its own, drawn once and for all.
// With it text-to-image can be shown without another network; what words mean is left to learn.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/text.h"

namespace edt::data {

inline constexpr std::uint64_t kCaptionChannels = 32;
// As it is recorded with the features. Others than these would have another name.
inline constexpr const char* kCaptionEncoder = "edt words 32";

// Letters and digits in a row, in lower case; what is no ASCII counts as a letter.
std::vector<std::string> caption_words(std::string_view caption);

// Features [words, 32] of length 1, exact in float16, the same everywhere: of each word from Philox
// keyed by its letters. Of a caption without words: one token, the null text.
std::vector<float> encode_caption(std::string_view caption);

// Of texts of this encoder, up to `tokens` words each.
TextDescription caption_texts(std::uint64_t tokens, bool captions);

// Appends the features of a caption and, with `words`, the caption itself.
void append_caption(const std::string& caption, bool words, StoredTexts& out);

}  // namespace edt::data
