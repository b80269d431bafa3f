#include "launcher/autoencoder/vae_decoder.h"

#include "core/base/error.h"

namespace edt {

VaeDecoder::VaeDecoder(std::unique_ptr<Autoencoder> vae, std::int64_t channels,
                       LatentScaling scaling)
    : vae_(std::move(vae)), scaling_(std::move(scaling)) {
  const AutoencoderInfo& info = vae_->info();
  require<DataError>(info.has_decoder, "vae", "{} holds an encoder alone", info.path.string());
  require<DataError>(info.channels == channels, "vae", "{} has {} channels, the model makes {}",
                     info.path.string(), info.channels, channels);
  if (info.preview) {
    scaling_.scale = 1;
    scaling_.shift = 0;
  }
  const auto all = static_cast<std::size_t>(channels);
  if (scaling_.mean.empty()) scaling_.mean.assign(all, 0.0);
  if (scaling_.std.empty()) scaling_.std.assign(all, 1.0);
}

std::pair<int, int> VaeDecoder::picture_size(int height, int width) const {
  const PictureSize size = vae_->info().picture_size({height, width});
  return {static_cast<int>(size.width), static_cast<int>(size.height)};
}

Image VaeDecoder::decode(std::span<const float> latent, int height, int width) const {
  const PictureSize size{height, width};
  const auto plane = static_cast<std::size_t>(size.pixels());
  EDT_ASSERT(latent.size() == plane * scaling_.mean.size());
  std::vector<float> z(latent.size());
  for (std::size_t i = 0; i < z.size(); ++i) {
    const std::size_t c = i / plane;
    z[i] = static_cast<float>((latent[i] * scaling_.std[c] + scaling_.mean[c]) / scaling_.scale +
                              scaling_.shift);
  }
  const PictureSize picture = vae_->info().picture_size(size);
  Image image(static_cast<int>(picture.width), static_cast<int>(picture.height));
  values_to_bytes(vae_->decode(z, size), image.pixels);
  return image;
}

}  // namespace edt
