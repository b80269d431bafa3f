// The structures of published autoencoders with weights drawn from their names: for measurements
// and tests where no file of weights is.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/autoencoder/autoencoder.h"

namespace edt {

struct NamedShape {
  std::string name;  // as diffusers has it
  Shape shape;
};

struct KlSizes {
  std::vector<std::int64_t> widths;  // of the levels
  std::int64_t latents = 4;
  bool quant = true, attention_at_the_bottom = false;
};
std::vector<NamedShape> kl_tensors(const KlSizes& sizes);
std::vector<NamedShape> taesd_tensors(std::int64_t width, std::int64_t latents);
// The deeper half of the levels has attention.
std::vector<NamedShape> dc_ae_tensors(const std::vector<std::int64_t>& widths,
                                      std::int64_t latents);

// "sd", "flux", "va-vae", "taesd", "dc-ae".
std::vector<std::string> published_autoencoders();

// UsageError for a name that is none of these.
std::vector<NamedShape> published_tensors(std::string_view autoencoder);

// Values that keep activations near 1, a function of name and shape alone.
std::vector<float> drawn_values(const NamedShape& tensor);

std::unique_ptr<Autoencoder> drawn_autoencoder(std::string_view autoencoder, Backend& backend,
                                               AutoencoderOptions options = {});

}  // namespace edt
