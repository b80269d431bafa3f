// How files name an autoencoder's tensors: as diffusers does today or did in 2022, as CompVis did
// (also FLUX and VA-VAE), as TAESD's author does, with a prefix or without.
#pragma once

#include <filesystem>
#include <string>

#include "model/autoencoder/tensors.h"

namespace edt {

enum class AutoencoderKind { kKl, kTaesd, kDcAe };

struct NamedTensors {
  AutoencoderKind kind = AutoencoderKind::kKl;
  AutoencoderTensors tensors;
  std::string layout;      // "diffusers", "diffusers of 2022", "ldm", "taesd"
  std::string prefix;      // in the file, before all names
  std::size_t others = 0;  // tensors of the file that are none of an autoencoder's
};

// Finds an autoencoder in a safetensors file. DataError where there is none, or more than one.
NamedTensors read_autoencoder_tensors(const std::filesystem::path& file);

}  // namespace edt
