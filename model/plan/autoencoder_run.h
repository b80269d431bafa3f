// One picture through an autoencoder over memory that is not there: what it would take.
#pragma once

#include <functional>
#include <memory>

#include "model/autoencoder/autoencoder.h"

namespace edt {

// Loads or makes the autoencoder on a backend.
using AutoencoderSource = std::function<std::unique_ptr<Autoencoder>(Backend& backend)>;

struct AutoencoderRun {
  AutoencoderInfo info;
  std::size_t bytes = 0;  // of weights, as the processor's backend lays them out, and activations
  double flops = 0;       // as the definitions of the layers have them
};

// Encodes a picture, or decodes a latent, of this size. DataError where that half is missing.
AutoencoderRun dry_run_of_encoder(const AutoencoderSource& load, PictureSize size);
AutoencoderRun dry_run_of_decoder(const AutoencoderSource& load, PictureSize latent);

}  // namespace edt
