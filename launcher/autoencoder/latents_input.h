// Latents of a file as `edt sample --latents` and `edt vae encode` write them, or as anybody does
// who puts `latents` [N, C, H, W] into HDF5 or safetensors.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "launcher/autoencoder/vae_decoder.h"

namespace edt {

struct LatentsInput {
  std::int64_t count = 0, channels = 0;
  PictureSize size;
  std::vector<float> values;             // [count, channels, size]
  std::optional<LatentScaling> scaling;  // nothing: the file does not say it
  std::string autoencoder_checksum;      // of the encoder they were made with; empty: not known
};

// DataError where there are none.
LatentsInput read_latents(const std::filesystem::path& path);

}  // namespace edt
