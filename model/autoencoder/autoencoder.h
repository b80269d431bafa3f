// An autoencoder of pictures: to latents and back, with weights that the user brings as safetensors.
// Stable Diffusion's, FLUX's and VA-VAE's (AutoencoderKL), TAESD and DC-AE behind one interface.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/ops/backend.h"

namespace edt {

// Pixels.
struct PictureSize {
  std::int64_t height = 0, width = 0;

  std::int64_t pixels() const { return height * width; }
  bool operator==(const PictureSize&) const = default;
};

// What is known of an autoencoder. Latents as a diffusion model sees them are (z - shift) * scale,
// where z is what the encoder gives or a draw from its moments.
struct AutoencoderInfo {
  std::string name;  // "AutoencoderKL f8 c4", "TAESD f8 c4", "DC-AE f32 c32"
  std::filesystem::path path;
  std::int64_t factor = 8;    // pixels to a latent, along each side
  std::int64_t channels = 4;  // of a latent
  // The encoder gives mean and standard deviation of each latent; otherwise the latent itself.
  bool moments = true;
  bool has_encoder = true, has_decoder = true;
  double scale = 1, shift = 0;
  std::string scale_origin;  // "config.json", "default", ...
  // Of each channel, where the file says them (VA-VAE): latents are normalized by them.
  std::vector<double> channel_mean, channel_std;
  // XXH3 over names, shapes and values, the same for every layout of names and type of numbers that
  // hold the same values. The encoder's says which latents these are: several decoders may have been
  // trained for one encoder (sd-vae-ft-mse and -ft-ema). 0: that half is not in the file.
  std::uint64_t encoder_checksum = 0, decoder_checksum = 0;
  std::int64_t encoder_parameters = 0, decoder_parameters = 0;
  std::size_t other_tensors = 0;  // of the file, passed over

  // Channels of what encode() gives: mean and deviation, or the latent.
  std::int64_t encoded_channels() const { return moments ? 2 * channels : channels; }
  // Of pictures of `size`; sides are halved and rounded down as often as the encoder does.
  PictureSize latent_size(PictureSize size) const;
  PictureSize picture_size(PictureSize latent) const;
};

struct AutoencoderOptions {
  // Of decoding; float32 or bf16, with float32 norms, softmax and last convolution. Encoding is
  // float32 always: rounded latents stay in the data set. There is no float16, which overflows in
  // these networks.
  DType decode = DType::kFloat32;
  // 0: scale and shift as in config.json beside the file, or as published for the kind.
  double scale = 0, shift = 0;
  // Pictures larger than this are encoded and decoded in overlapping tiles of this side, in pixels,
  // with the tile's own statistics: close to the whole, not equal. 0: never.
  std::int64_t tile = 0;
};

class Autoencoder {
 public:
  // `path`: a safetensors file, or a folder as diffusers saves one (diffusion_pytorch_model, or
  // taesd_encoder and taesd_decoder); a whole checkpoint is one too. UsageError where there is no
  // such file, DataError, with tensor and both shapes, where it is no autoencoder.
  static std::unique_ptr<Autoencoder> load(const std::filesystem::path& path, Backend& backend,
                                           const AutoencoderOptions& options = {});
  virtual ~Autoencoder() = default;

  virtual const AutoencoderInfo& info() const = 0;

  // Pictures [n, height, width, 3] of bytes -> [n, encoded_channels, h, w]: mean and standard
  // deviation as a data set's moments have them, not scaled; or latents. What a picture gives does
  // not depend on those beside it. DataError for pictures smaller than one latent.
  std::vector<float> encode(std::span<const std::uint8_t> pictures, PictureSize size);
  // The same of values in [-1, 1].
  std::vector<float> encode(std::span<const float> pictures, PictureSize size);

  // z [n, channels, h, w] (not scaled) -> pictures [n, H, W, 3], about [-1, 1].
  std::vector<float> decode(std::span<const float> latents, PictureSize latent_size);

 protected:
  // Of one slice of pictures, NHWC in and out.
  virtual std::vector<float> encode_slice(std::span<const float> pictures, std::int64_t count,
                                          PictureSize size) = 0;
  virtual std::vector<float> decode_slice(std::span<const float> latents, std::int64_t count,
                                          PictureSize latent_size) = 0;
};

// x = (u / 255 - 0.5) / 0.5, as the published extractors compute it in float32.
void bytes_to_values(std::span<const std::uint8_t> bytes, std::span<float> values);
// clamp(127.5 x + 128, 0, 255), cut off to an integer, as EDT's and LightningDiT's samplers do.
void values_to_bytes(std::span<const float> values, std::span<std::uint8_t> bytes);

}  // namespace edt
