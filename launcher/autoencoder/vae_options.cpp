#include "launcher/autoencoder/vae_options.h"

#include "core/storage/checksum.h"

namespace edt {

Option& VaeOptions::declare(OptionSet& options, std::string help, bool decodes) {
  Option& file = options.add("vae", &path, std::move(help));
  options
      .add("vae-scale", &network.scale,
           "of the latents, where the file does not say it; 0: as it says")
      .at_least(0)
      .single_precision();
  options.add("vae-shift", &network.shift, "that goes with it").single_precision();
  options
      .add("vae-groups", &network.norm_groups,
           "of its norms, where no config.json lies beside it; 0: 32, as published")
      .range(0, 1024);
  options
      .add(
          "vae-tile", &network.tile,
          "sides of overlapping tiles, for pictures that do not fit in memory: close to the whole, "
          "not equal; 0: none")
      .unit("pixels")
      .range(0, 1 << 16);
  if (!decodes) return file;
  options.add("vae-dtype", &network.decode,
              {{"float32", DType::kFloat32}, {"bf16", DType::kBFloat16}},
              "of decoding; norms, softmax and the last convolution are float32 in any case");
  return file;
}

std::unique_ptr<Autoencoder> VaeOptions::load(Backend& backend) const {
  require<UsageError>(network.shift == 0 || network.scale > 0, "vae",
                      "--vae-shift {} is given without --vae-scale", network.shift);
  return Autoencoder::load(path, backend, network);
}

void require_scale(const AutoencoderInfo& info) {
  require<UsageError>(
      !info.scale_origin.empty(), "vae",
      "{} ({}) does not say the scale of its latents, nor does a config.json beside "
      "it: --vae-scale and --vae-shift do",
      info.path.string(), info.name());
}

void require_same_encoder(const AutoencoderInfo& info, const std::string& checksum,
                          const std::string& source) {
  if (checksum.empty() || info.preview || info.encoder_checksum == 0) return;
  const std::string own = checksum_text(info.encoder_checksum);
  require<DataError>(checksum == own, "vae",
                     "{}: latents of an encoder with checksum {}, that of {} has {}", source,
                     checksum, info.path.string(), own);
}

}  // namespace edt
