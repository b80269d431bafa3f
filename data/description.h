// What all shards of a data set have in common; see docs/data.md for the file format.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/storage/hdf5.h"
#include "data/sample_array.h"
#include "data/text.h"

namespace edt::data {

// pixel = bias + matrix * z per 8x8 patch: turns latents into pictures without VAE weights.
struct LinearDecoder {
  int patch = 0;              // 0: the data set has no decoder
  std::vector<float> matrix;  // [patch * patch * 3, channels], RGB interleaved, values 0 ... 255
  std::vector<float> bias;    // [patch * patch * 3]
  bool present() const { return patch > 0; }
  bool operator==(const LinearDecoder&) const = default;
};

struct Description {
  int channels = 0;  // of a latent; moments store twice as many
  int height = 0;
  int width = 0;
  int classes = 0;     // labels are 0 ... classes - 1
  int image_size = 0;  // pixels
  // Of an autoencoder's z: latents are (z - shift) * scale. Moments have the shift taken off and
  // lack the scale, which is applied when they are drawn from.
  double scale = 1, shift = 0;
  bool moments = false;
  bool flipped = false;  // a second copy of each sample, mirrored left to right
  h5::Type type = h5::Type::kFloat16;
  std::vector<double> channel_mean, channel_std;  // empty: not known
  std::vector<SampleArray> arrays;                // beside the latents, by name
  TextDescription text;
  LinearDecoder decoder;
  std::vector<std::string> class_names;  // empty: not known
  // Attributes that mean nothing here; without a value those that are neither text nor numbers.
  std::map<std::string, std::optional<h5::AttributeValue>> others;
  std::string source;      // where the samples come from, for people
  std::string provenance;  // id of all that shaped the set; empty: not known
  // What encoded it, and the checksum of its encoder's weights; empty: not known.
  std::string autoencoder, autoencoder_checksum;

  // Pixels for each latent, across and down: 8 where the size of the pictures does not say.
  int factor() const { return height > 0 && image_size % height == 0 ? image_size / height : 8; }
  // One row high and not of pictures: the channels are the numbers of a frame.
  bool is_sequence() const { return height == 1 && factor() == 1; }
  std::uint64_t latent_elements() const {
    return static_cast<std::uint64_t>(channels) * height * width;
  }
  std::uint64_t stored_elements() const { return latent_elements() * (moments ? 2 : 1); }
  std::uint64_t stored_bytes() const { return stored_elements() * h5::size_of(type); }
  // Of a sample with its mirrored copies and the arrays beside it, without its text.
  std::uint64_t sample_bytes() const;
  const char* array_name() const { return moments ? "moments" : "latents"; }
  std::string flipped_name() const { return std::string(array_name()) + "_flipped"; }
};

inline constexpr std::int64_t kFormatVersion = 1;

// Throws DataError naming `label` and the field for values that make no sense.
void validate(const Description& description, const std::string& label);

// Bytes of its largest attribute, for h5::File::create().
std::uint64_t longest_attribute(const Description& description);
void write_description(const Description& description, h5::File& file);
// Names of attributes that every shard has, apart from `complete`, and this file has not.
std::vector<std::string> missing_attributes(const h5::File& file);
// Reads and validates; also checks type and shape of the arrays, but not their number of rows.
Description read_description(const h5::File& file);

// Throws DataError naming both files and both values unless they describe one data set.
void require_same(const Description& first, const std::string& first_file, const Description& other,
                  const std::string& other_file);

}  // namespace edt::data
