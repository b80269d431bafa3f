// A model's latents to pictures through an autoencoder, once it is known to be the right one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "launcher/autoencoder/vae_decoder.h"
#include "launcher/autoencoder/vae_options.h"
#include "launcher/recipe/latent_space.h"
#include "model/config.h"

namespace edt {

// `space`: what the latents of `source`, of this shape, are; nothing: not known. DataError, with
// both values, where they are of another encoder or of other channels, UsageError where nobody
// knows their scale.
std::shared_ptr<const VaeDecoder> open_decoder(const VaeOptions& vae, Backend& backend,
                                               const std::optional<LatentSpace>& space,
                                               const LatentShape& shape, const std::string& source);

// Bytes that it takes, with one picture on its way; found out without taking them.
std::size_t decoder_bytes(const VaeOptions& vae, const LatentShape& shape);

}  // namespace edt
