// Arrays beside latents: of each sample numbers under a name, as the features that another network
// gives of its picture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/storage/hdf5.h"

namespace edt::data {

// Each takes up to four of the ranges that a seal can name (seal.cpp).
inline constexpr std::size_t kMostArrays = 6;

struct SampleArray {
  std::string name;                    // letters, digits, '.', '-' and '_'
  h5::Shape shape;                     // of a sample: one to four extents, [tokens, dims] say
  h5::Type type = h5::Type::kFloat16;  // or float32, or int8 with a scale for each row
  bool flipped = false;                // there is one of each mirrored picture too

  // A row is what the last extent counts: a token's features.
  std::uint64_t rows() const { return elements() / shape.back(); }
  std::uint64_t elements() const;
  bool has_scales() const { return type == h5::Type::kInt8; }
  std::uint64_t value_bytes() const { return elements() * h5::size_of(type); }
  std::uint64_t scale_bytes() const { return has_scales() ? rows() * sizeof(float) : 0; }
  // Of a sample, without its mirrored copy.
  std::uint64_t bytes() const { return value_bytes() + scale_bytes(); }

  // Names within a shard.
  std::string values_name(bool mirrored) const;
  std::string scales_name(bool mirrored) const;

  bool operator==(const SampleArray&) const = default;
};

// "256 x 768 float16"
std::string text_of(const SampleArray& array);
std::string text_of(std::span<const SampleArray> arrays);  // "a 256 x 768 float16, b ..."; "none"

// DataError naming `label` and the value for a name, shape or type that cannot be stored.
void validate(const SampleArray& array, const std::string& label);

// Those of the group /features that can be read: float16, float32, or int8 with scales, [N, ...].
// DataError where one has other samples than `beside`, or its mirrored copy or its scales do not go
// with it.
std::vector<SampleArray> read_sample_arrays(const h5::File& file, const h5::DataSet& beside);

// Samples of an array as they are stored.
struct StoredArray {
  std::vector<std::byte> values;
  std::vector<std::byte> scales;  // float32, of int8
  void clear() { values.clear(), scales.clear(); }
};
struct StoredSamples {
  StoredArray plain, flipped;
  void clear() { plain.clear(), flipped.clear(); }
};

// Appends values of whole samples, finite in the array's type. int8: a row is divided by its scale,
// a 127th of its largest magnitude, and rounded.
void append_stored(const SampleArray& array, std::span<const float> values, StoredArray& out);

// int8 times the float32 that is the scale of its row.
void apply_scales(std::span<const std::byte> values, std::span<const std::byte> scales,
                  std::span<float> out);

}  // namespace edt::data
