// Which autoencoder a command uses, and how.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/options/options.h"
#include "model/autoencoder/autoencoder.h"

namespace edt {

struct VaeOptions {
  std::filesystem::path path;  // empty: none
  AutoencoderOptions network;
  std::string prefix;  // of the options' names

  // "vae", "vae-dtype", "vae-tile", ... `decodes`: with what belongs to decoding alone.
  Option& declare(OptionSet& options, std::string help, bool decodes);
  // The same of a run, "run.sample-vae" ...: they change no weight.
  void declare_for_run(OptionSet& options, std::string run_prefix, std::string help);
  // UsageError where an option of it is given and names no file, or the file's own are given alone.
  void require_file(const OptionSet& options) const;
  std::unique_ptr<Autoencoder> load(Backend& backend) const;

 private:
  std::vector<Option*> declare_all(OptionSet& options, std::string help, bool decodes);
};

// That of a file or a folder, or, for "sd", "taesd", ... where there is no such file, the structure
// of that name with random weights.
std::unique_ptr<Autoencoder> load_or_draw(const std::filesystem::path& vae, Backend& backend,
                                          const AutoencoderOptions& options = {});

// UsageError where nobody knows the scale of its latents.
void require_scale(const AutoencoderInfo& info);

// DataError with both checksums where the latents of `source` came from another encoder than the
// one this autoencoder has; `checksum`: as text, empty where it is not known.
void require_same_encoder(const AutoencoderInfo& info, const std::string& checksum,
                          const std::string& source);

}  // namespace edt
