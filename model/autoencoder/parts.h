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

// The half that decodes latents of `channels` channels and 1/factor the side; DataError naming
// `label` where the encoder that is there makes others.
void set_decoder(AutoencoderParts& parts, std::unique_ptr<PictureNetwork> decoder,
                 std::int64_t channels, std::int64_t factor, const std::string& label);

// `groups`: of the norms. Fill what the tensors say: sizes, halves, layout, but not the scale.
AutoencoderParts build_kl(AutoencoderTensors& tensors, Backend& backend, DType decode,
                          std::int64_t groups);
AutoencoderParts build_taesd(AutoencoderTensors& tensors, Backend& backend, DType decode);
AutoencoderParts build_dc_ae(AutoencoderTensors& tensors, Backend& backend, DType decode);

// The one of the kind; nothing may be left over.
AutoencoderParts build_autoencoder(AutoencoderKind kind, AutoencoderTensors& tensors,
                                   Backend& backend, DType decode, std::int64_t groups);

}  // namespace edt
