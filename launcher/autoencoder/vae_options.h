// Which autoencoder a command uses, and how.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/options/options.h"
#include "model/autoencoder/autoencoder.h"

namespace edt {

struct VaeOptions {
  std::filesystem::path path;  // empty: none
  AutoencoderOptions network;

  // "vae", "vae-dtype", "vae-tile", ... `decodes`: with what belongs to decoding alone.
  Option& declare(OptionSet& options, std::string help, bool decodes);
  std::unique_ptr<Autoencoder> load(Backend& backend) const;
};

// UsageError where nobody knows the scale of its latents.
void require_scale(const AutoencoderInfo& info);

// DataError with both checksums where the latents of `source` came from another encoder than the
// one this autoencoder has; `checksum`: as text, empty where it is not known.
void require_same_encoder(const AutoencoderInfo& info, const std::string& checksum,
                          const std::string& source);

}  // namespace edt
