// A model's latents to pictures through an autoencoder.
#pragma once

#include <memory>
#include <vector>

#include "data/picture_decoder.h"
#include "model/autoencoder/autoencoder.h"

namespace edt {

// z of an autoencoder = (latent of the model * std + mean) / scale + shift, channel by channel.
struct LatentScaling {
  double scale = 1, shift = 0;
  std::vector<double> mean, std;
};

class VaeDecoder final : public data::PictureDecoder {
 public:
  // DataError unless the autoencoder has a decoder of `channels` channels. `scaling`: of the
  // model's data. One for previews takes latents as the
  // model sees them, whatever their scale.
  VaeDecoder(std::unique_ptr<Autoencoder> vae, std::int64_t channels, LatentScaling scaling);

  std::pair<int, int> picture_size(int height, int width) const override;
  Image decode(std::span<const float> latent, int height, int width) const override;
  const AutoencoderInfo& info() const { return vae_->info(); }

 private:
  std::unique_ptr<Autoencoder> vae_;
  LatentScaling scaling_;
};

}  // namespace edt
