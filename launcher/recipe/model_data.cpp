#include "launcher/recipe/model_data.h"

namespace edt {

// Data sets that were written by hand may say any size of pictures: one that is given tells how
// many pixels a latent stands for.
void take_latents_of(const data::Description& data, const OptionSet& given, ModelOptions& model) {
  const bool has_size = given.given("model.image-size");
  if (!given.given("model.channels")) model.channels = data.channels;
  if (!given.given("model.vae-factor")) {
    const bool is_eighth = has_size && model.image_size == 8 * std::int64_t{data.height};
    model.vae_factor = is_eighth ? 8 : data.factor();
  }
  const std::int64_t factor = *model.vae_factor;
  if (!has_size) model.image_size = factor * data.height;
  if (!given.given("model.image-width") && data.width != data.height) {
    model.image_width = factor * data.width;
  }
}

void require_fits(const data::Dataset& dataset, const ModelConfig& model,
                  std::string_view size_option) {
  const LatentShape& latents = model.latents();
  dataset.require_fits(static_cast<int>(latents.channels), static_cast<int>(latents.height),
                       static_cast<int>(latents.width), static_cast<int>(model.classes()),
                       size_option);
}

}  // namespace edt
