// Pictures into shards of moments or latents.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/pictures/encoder.h"
#include "data/pictures/list.h"
#include "data/pictures/loader.h"
#include "data/shard_set.h"

namespace edt::data {

struct EncodeOptions {
  PictureListOptions list;
  std::filesystem::path out;
  int image_size = 256;
  bool moments = true;     // of the posterior; false: latents, drawn from it once
  bool flipped = true;     // of the mirrored picture as well
  bool hog = false;        // GradientFeatures beside them
  std::uint64_t seed = 0;  // of the draw
  h5::Type type = h5::Type::kFloat16;
  std::uint64_t samples_per_shard = 1024;
  bool replace = false;  // shards that are there are not kept
  DecodeOptions decode;
  int batch = 16;          // pictures that are encoded together
  int threads = 1;         // that decode, beside the encoder
  int look_threads = 1;    // that look before
  std::string arithmetic;  // "cpu", "cuda": what else the last bits depend on
};

// UsageError where the options do not fit the encoder.
void require_encodable(const EncodeOptions& options, const EncoderInfo& encoder);
// Of what is listed: the folders, archives and lists, and what tells broken pictures.
Provenance listing_provenance(const EncodeOptions& options);
// Of all that shapes the shards.
Provenance encoding_provenance(const EncodeOptions& options, const EncoderInfo& encoder,
                               const PictureSources& sources);
Description describe_encoding(const EncodeOptions& options, const EncoderInfo& encoder,
                              const PictureSources& sources);

struct EncodeHooks {
  // After each batch: how many pictures it had. May throw to stop.
  std::function<void(int)> done;
  // A shard that is complete, and takes its name now.
  std::function<void(ShardWriter&)> complete;
};

// Encodes these shards of `set`, sample i of which is picture i of `index`. DataError where a
// picture cannot be read any more. The seconds that were spent waiting for pictures.
double encode_shards(const EncodeOptions& options, const PictureIndex& index, const ShardSet& set,
                     std::vector<std::uint64_t> shards, Encoder& encoder, const EncodeHooks& hooks);

}  // namespace edt::data
