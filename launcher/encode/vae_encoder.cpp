#include "launcher/encode/vae_encoder.h"

#include <algorithm>

#include "core/base/assert.h"
#include "core/base/error.h"

namespace edt {

VaeEncoder::VaeEncoder(std::unique_ptr<Autoencoder> autoencoder, Backend& backend,
                       const AutoencoderOptions& options)
    : autoencoder_(std::move(autoencoder)), backend_(backend) {
  const AutoencoderInfo& info = autoencoder_->info();
  require<UsageError>(info.has_encoder, "encode", "--vae {}: holds a decoder and no encoder",
                      info.path.string());
  info_ = {.name = info.name(),
           .checksum = info.encoder_checksum,
           .settings = fmt::format("norm groups {}, tiles {}", info.norm_groups, options.tile),
           .channels = static_cast<int>(info.channels),
           .factor = static_cast<int>(info.factor),
           .moments = info.moments,
           .scale = info.scale,
           .shift = info.shift};
}

void VaeEncoder::encode(std::span<const std::uint8_t> pictures, int count, int size,
                        std::span<float> out) {
  const std::vector<float> encoded = autoencoder_->encode(pictures, {size, size});
  EDT_ASSERT(count > 0 && encoded.size() == out.size());
  std::copy(encoded.begin(), encoded.end(), out.begin());
}

double VaeEncoder::ceiling_seconds(int size) {
  const std::vector<std::uint8_t> picture(static_cast<std::size_t>(size) * size * 3, 128);
  std::vector<ConvolutionCall> calls;
  autoencoder_->note_convolutions(&calls);
  autoencoder_->encode(picture, {size, size});
  autoencoder_->note_convolutions(nullptr);
  const auto ceiling = backend_.convolution_ceiling(calls, DType::kFloat32);
  if (!ceiling) return 0;
  ceiling->run();  // its primitives are made
  return ceiling->run();
}

}  // namespace edt
