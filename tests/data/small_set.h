// A small data set whose values say which sample they belong to.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/writer.h"

namespace edt::data::test {

inline Description small_description() {
  Description d;
  d.channels = 2;
  d.height = 3;
  d.width = 4;
  d.classes = 5;
  d.image_size = 32;
  d.source = "test";
  return d;
}

// Value e of sample i; exact in float16 for i < 40.
inline float value_of(std::uint64_t i, std::uint64_t e, bool flipped = false) {
  const float value = static_cast<float>(i) * 32 + static_cast<float>(e);
  return flipped ? -value : value;
}

inline std::vector<float> values_of(const Description& d, std::uint64_t i, bool flipped = false) {
  std::vector<float> values(d.stored_elements());
  for (std::uint64_t e = 0; e < values.size(); ++e) values[e] = value_of(i, e, flipped);
  return values;
}

inline std::int32_t label_of(const Description& d, std::uint64_t i) {
  return static_cast<std::int32_t>(i * 7 % static_cast<std::uint64_t>(d.classes));
}

// Value e of sample i of an array beside the latents: exact in all types that are stored.
inline float array_value(std::uint64_t i, std::uint64_t e, bool flipped = false) {
  const float value = static_cast<float>(i % 8 * 8 + e % 8) - 127;
  return flipped ? -value : value;
}

// A row holds 127 steps of its largest magnitude, so int8 keeps it.
inline std::vector<float> array_values(const SampleArray& array, std::uint64_t i,
                                       bool flipped = false) {
  std::vector<float> values(array.elements());
  for (std::uint64_t e = 0; e < values.size(); ++e) {
    const bool begins_row = e % array.shape.back() == 0;
    values[e] = begins_row ? 127.f : array_value(i, e, flipped);
  }
  return values;
}

inline std::vector<StoredSamples> arrays_of(const Description& d, std::uint64_t i) {
  std::vector<StoredSamples> samples(d.arrays.size());
  for (std::size_t a = 0; a < samples.size(); ++a) {
    append_stored(d.arrays[a], array_values(d.arrays[a], i), samples[a].plain);
    if (d.arrays[a].flipped) {
      append_stored(d.arrays[a], array_values(d.arrays[a], i, true), samples[a].flipped);
    }
  }
  return samples;
}

// Texts of one to three tokens of four channels, with captions.
inline std::uint64_t tokens_of(std::uint64_t i) { return 1 + i % 3; }

inline std::vector<float> text_values(std::uint64_t i) {
  std::vector<float> values(tokens_of(i) * 4);
  for (std::size_t e = 0; e < values.size(); ++e) {
    values[e] = static_cast<float>(i) + 1 + static_cast<float>(e) / 16;
  }
  return values;
}

inline std::string caption_at(std::uint64_t i) { return "caption \u00e9 " + std::to_string(i); }

inline TextDescription small_text() {
  std::vector<half_bits> null(2 * 4);
  for (std::size_t e = 0; e < null.size(); ++e) null[e] = float_to_half(-static_cast<float>(e));
  return {.channels = 4,
          .tokens = 3,
          .encoder = "some encoder",
          .captions = true,
          .null = std::make_shared<std::vector<half_bits>>(null)};
}

inline void append_text(const Description& d, std::uint64_t i, StoredTexts& out) {
  if (!d.text.present()) return;
  for (const float value : text_values(i)) out.features.push_back(float_to_half(value));
  out.tokens.push_back(tokens_of(i));
  if (d.text.captions) out.captions.push_back(caption_at(i));
}

// Appends samples up to `end` where the writer stands.
inline void append_until(DatasetWriter& writer, const Description& d, std::uint64_t end) {
  for (std::uint64_t i = writer.next_sample(); i < end; ++i) {
    const std::vector<std::int32_t> label{label_of(d, i)};
    StoredTexts text;
    append_text(d, i, text);
    writer.append(values_of(d, i), d.flipped ? values_of(d, i, true) : std::vector<float>{}, label,
                  arrays_of(d, i), text);
  }
}

inline void write_small_set(const std::filesystem::path& directory,
                            const Description& d = small_description(), std::uint64_t samples = 20,
                            std::uint64_t samples_per_shard = 8) {
  DatasetWriterOptions options{.samples_per_shard = samples_per_shard};
  if (d.text.present()) options.text_tokens = tokens_of;
  DatasetWriter writer(directory, d, samples, options);
  append_until(writer, d, samples);
  writer.finish();
}

}  // namespace edt::data::test
