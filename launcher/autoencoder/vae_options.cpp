#include "launcher/autoencoder/vae_options.h"

#include <algorithm>

#include "core/storage/checksum.h"
#include "model/autoencoder/published.h"

namespace edt {

std::vector<Option*> VaeOptions::declare_all(OptionSet& options, std::string help, bool decodes) {
  const auto name = [&](const char* what) { return prefix + what; };
  std::vector<Option*> all{
      &options.add(name("vae"), &path, std::move(help)),
      &options
           .add(name("vae-scale"), &network.scale,
                "of the latents, where the file does not say it; 0: as it says")
           .at_least(0)
           .single_precision(),
      &options.add(name("vae-shift"), &network.shift, "that goes with it").single_precision(),
      &options
           .add(name("vae-groups"), &network.norm_groups,
                "of its norms, where no config.json lies beside it; 0: 32, as published")
           .range(0, 1024),
      &options
           .add(name("vae-tile"), &network.tile,
                "sides of overlapping tiles, for pictures that do not fit in memory: close to the "
                "whole, not equal; 0: none")
           .unit("pixels")
           .range(0, 1 << 16)};
  if (!decodes) return all;
  all.push_back(
      &options.add(name("vae-dtype"), &network.decode,
                   {{"float32", DType::kFloat32}, {"bf16", DType::kBFloat16}},
                   "of decoding; norms, softmax and the last convolution are float32 in any case"));
  return all;
}

Option& VaeOptions::declare(OptionSet& options, std::string help, bool decodes) {
  return *declare_all(options, std::move(help), decodes).front();
}

void VaeOptions::declare_for_run(OptionSet& options, std::string run_prefix, std::string help) {
  prefix = std::move(run_prefix);
  const auto all = declare_all(options, std::move(help), true);
  all.front()->absolute();
  for (Option* option : all) option->free_to_change();
}

void VaeOptions::require_file(const OptionSet& options) const {
  if (!path.empty()) return;
  require<UsageError>(!options.given(prefix + "vae"), "vae", "--{}vae names no file", prefix);
  for (const char* what : {"vae-scale", "vae-shift", "vae-groups", "vae-tile", "vae-dtype"}) {
    require<UsageError>(!options.given(prefix + what), "vae", "--{0}{1} is given without --{0}vae",
                        prefix, what);
  }
}

std::unique_ptr<Autoencoder> VaeOptions::load(Backend& backend) const {
  require<UsageError>(network.shift == 0 || network.scale > 0, "vae",
                      "--{0}vae-shift {1} is given without --{0}vae-scale", prefix, network.shift);
  return Autoencoder::load(path, backend, network);
}

std::unique_ptr<Autoencoder> load_or_draw(const std::filesystem::path& vae, Backend& backend,
                                          const AutoencoderOptions& options) {
  std::error_code code;
  const auto names = published_autoencoders();
  const bool is_name = std::ranges::find(names, vae.string()) != names.end();
  return is_name && !std::filesystem::exists(vae, code)
             ? drawn_autoencoder(vae.string(), backend, options)
             : Autoencoder::load(vae, backend, options);
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
