// An autoencoder of pictures: to latents and back, with weights that the user brings as
// safetensors. Stable Diffusion's, FLUX's and VA-VAE's (AutoencoderKL), TAESD and DC-AE behind one
// interface.
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
  std::string kind;  // "AutoencoderKL", "TAESD", "DC-AE"
  std::filesystem::path path;
  std::int64_t factor = 8;    // pixels to a latent, along each side
  std::int64_t channels = 4;  // of a latent
  // The encoder gives mean and standard deviation of each latent; otherwise the latent itself.
  bool moments = true;
  bool has_encoder = false, has_decoder = false;
  double scale = 1, shift = 0;
  std::string scale_origin;      // "config.json", "as published", ...; empty: not known
  std::int64_t norm_groups = 0;  // of group norms; 0: it has none whose number could be another
  // XXH3 over names, shapes and values, and over the number of groups where it is not the 32 of all
  // that were published: the same for every layout of names and type of numbers that hold the same
  // values. The encoder's says which latents these are: several decoders may have been trained for
  // one encoder (sd-vae-ft-mse and -ft-ema). 0: that half is not in the file.
  std::uint64_t encoder_checksum = 0, decoder_checksum = 0;
  std::int64_t encoder_parameters = 0, decoder_parameters = 0;
  std::size_t other_tensors = 0;  // of the file, passed over
  std::string tensor_names;       // "diffusers", "ldm", ..., and the prefix
  bool rounds_up = false;         // sides that are no multiple of the factor; most round down
  bool whole_latents = false;     // such sides are refused
  // Stands in for another one: takes a model's latents as they are.
  bool preview = false;

  std::string name() const;  // "AutoencoderKL f8 c4"
  // Channels of what encode() gives: mean and deviation, or the latent.
  std::int64_t encoded_channels() const { return moments ? 2 * channels : channels; }
  PictureSize latent_size(PictureSize size) const;
  PictureSize picture_size(PictureSize latent) const {
    return {latent.height * factor, latent.width * factor};
  }
};

// Which halves take memory; the other one is looked at, for its checksum, and let go.
enum class AutoencoderUse { kBoth, kEncoding, kDecoding };

struct AutoencoderOptions {
  // Of decoding; float32 or bf16, with float32 norms, softmax and last convolution. Encoding is
  // float32 always: rounded latents would stay in the data set. There is no float16, which
  // overflows in these networks.
  DType decode = DType::kFloat32;
  // What the file does not say of itself: 0, as in config.json beside it, or as published.
  double scale = 0, shift = 0;
  std::int64_t norm_groups = 0;
  // Pictures of a longer side are encoded and decoded in overlapping tiles of this side in pixels,
  // each with statistics of its own: close to the whole, not equal. A multiple of four latents. 0:
  // never.
  std::int64_t tile = 0;
  AutoencoderUse use = AutoencoderUse::kBoth;
};

struct AutoencoderParts;
struct Picture;
class PictureNetwork;

class Autoencoder {
 public:
  // `path`: a safetensors file (a whole checkpoint is one too, and half a TAESD, whose other half
  // may lie beside it), or a folder as diffusers saves one. UsageError where there is none,
  // DataError, with tensor and both shapes, where it is no autoencoder.
  static std::unique_ptr<Autoencoder> load(const std::filesystem::path& path, Backend& backend,
                                           const AutoencoderOptions& options = {});
  Autoencoder(AutoencoderParts parts, Backend& backend, const AutoencoderOptions& options);
  ~Autoencoder();

  const AutoencoderInfo& info() const { return info_; }

  // Pictures [n, height, width, 3] of bytes -> [n, encoded_channels, h, w]: mean and standard
  // deviation as a data set's moments have them, not scaled; or latents. What a picture gives does
  // not depend on those beside it. UsageError for sizes that give no latent.
  std::vector<float> encode(std::span<const std::uint8_t> pictures, PictureSize size);
  // The same of values in [-1, 1].
  std::vector<float> encode(std::span<const float> pictures, PictureSize size);
  // As the network gives them: mean and log variance, not cut off. Not of an autoencoder without.
  std::vector<float> encode_raw(std::span<const float> pictures, PictureSize size);

  // z [n, channels, h, w] (not scaled) -> pictures [n, H, W, 3], about [-1, 1].
  std::vector<float> decode(std::span<const float> latents, PictureSize latent_size);

  // Latents of a model -> what decode() takes, and back.
  void unscale(std::span<float> latents) const;
  void rescale(std::span<float> latents) const;

  // Times and FLOPs by op, of all calls since its reset.
  Profiler& profiler() { return profiler_; }
  // Notes every convolution from now on; nullptr: no more.
  void note_convolutions(std::vector<ConvolutionCall>* calls) { calls_ = calls; }
  // Bytes that passes took at most.
  std::size_t peak_bytes() const { return arena_.peak_bytes(); }

 private:
  // One picture through a half, NHWC.
  Picture pass(const PictureNetwork& network, const Picture& x);
  Picture encode_one(const Picture& picture);
  Picture decode_one(const Picture& z);

  AutoencoderInfo info_;
  AutoencoderOptions options_;
  Backend& backend_;
  Arena arena_;
  Profiler profiler_;
  std::unique_ptr<PictureNetwork> encoder_, decoder_;
  bool unit_pictures_, squashes_latents_;
  std::vector<ConvolutionCall>* calls_ = nullptr;
};

// Of moments of one picture, mean and log variance: these become standard deviations exp(v / 2), v
// held within -30 ... 20, as in the published code.
void log_variances_to_deviations(std::span<float> moments);
// x = (u / 255 - 0.5) / 0.5, as the published extractors compute it in float32.
void bytes_to_values(std::span<const std::uint8_t> bytes, std::span<float> values);
// clamp(127.5 x + 128, 0, 255), cut off to an integer, as EDT's and LightningDiT's samplers do. NaN
// becomes 0.
void values_to_bytes(std::span<const float> values, std::span<std::uint8_t> bytes);

}  // namespace edt
