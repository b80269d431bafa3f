// An autoencoder put together from tensors, before it has memory to run in.
#pragma once

#include <memory>

#include "model/autoencoder/autoencoder.h"
#include "model/autoencoder/layers.h"
#include "model/autoencoder/tensor_names.h"

namespace edt {

struct AutoencoderParts {
  AutoencoderInfo info;
  std::unique_ptr<PictureNetwork> encoder, decoder;  // null: not in the file
  bool unit_pictures = false;                        // the networks see 0 ... 1 instead of -1 ... 1
  bool squashes_latents = false;                     // the decoder sees 3 tanh(z / 3)
};

// The half that makes latents of `channels` channels and 1/factor the side; it comes first.
void set_encoder(AutoencoderParts& parts, std::unique_ptr<PictureNetwork> encoder,
                 std::int64_t channels, std::int64_t factor, const AutoencoderOptions& options);
// The half that decodes such; DataError naming `label` where the encoder makes others.
void set_decoder(AutoencoderParts& parts, std::unique_ptr<PictureNetwork> decoder,
                 std::int64_t channels, std::int64_t factor, const AutoencoderOptions& options,
                 const std::string& label);

// Of `options` what memory and arithmetic are to be, and the groups of the norms. Fill what the
// tensors say: sizes, halves, layout, but not the scale.
AutoencoderParts build_kl(AutoencoderTensors& tensors, Backend& backend,
                          const AutoencoderOptions& options);
AutoencoderParts build_taesd(AutoencoderTensors& tensors, Backend& backend,
                             const AutoencoderOptions& options);
AutoencoderParts build_dc_ae(AutoencoderTensors& tensors, Backend& backend,
                             const AutoencoderOptions& options);

// The one of the kind; nothing may be left over. `options` without a number of groups means 32, as
// all that were published have.
AutoencoderParts build_autoencoder(AutoencoderKind kind, AutoencoderTensors& tensors,
                                   Backend& backend, AutoencoderOptions options);

}  // namespace edt
