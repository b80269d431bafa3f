#include "launcher/recipe/latent_decoder.h"

#include "core/base/log.h"
#include "model/plan/autoencoder_run.h"

namespace edt {
namespace {

VaeOptions decoding_alone(VaeOptions vae) {
  vae.network.use = AutoencoderUse::kDecoding;
  return vae;
}

// What the latents are counts; who named the wrong file shall know.
void warn_of_differences(const AutoencoderInfo& info, const LatentSpace& space,
                         const LatentShape& shape) {
  if (!info.preview && !info.scale_origin.empty() && info.scale != space.scale) {
    log::warning("{}: latents of scale {}, the model's data have {}, which counts",
                 info.path.string(), info.scale, space.scale);
  }
  const std::int64_t made = info.factor * shape.height;
  if (space.image_size > 0 && made != space.image_size) {
    log::warning("{} makes pictures of {} pixels, those of the model's data had {}",
                 info.path.string(), made, space.image_size);
  }
}

}  // namespace

std::shared_ptr<const VaeDecoder> open_decoder(const VaeOptions& vae, Backend& backend,
                                               const std::optional<LatentSpace>& space,
                                               const LatentShape& shape,
                                               const std::string& source) {
  auto network = decoding_alone(vae).load(backend);
  const AutoencoderInfo& info = network->info();
  LatentScaling scaling{info.scale, info.shift, {}, {}};
  if (space) {
    require_same_encoder(info, space->autoencoder_checksum, source);
    warn_of_differences(info, *space, shape);
    scaling = {space->scale, space->shift, space->mean, space->std};
  } else if (!info.preview) {
    require_scale(info);
  }
  return std::make_shared<VaeDecoder>(std::move(network), shape.channels, std::move(scaling));
}

std::size_t decoder_bytes(const VaeOptions& vae, const LatentShape& shape) {
  const VaeOptions alone = decoding_alone(vae);
  return dry_run_of_decoder([&](Backend& backend) { return alone.load(backend); },
                            {shape.height, shape.width})
      .bytes;
}

}  // namespace edt
