// What `edt sample` is told to keep of pictures, and how far to go on beyond their edges.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/options/options.h"
#include "launcher/autoencoder/vae_options.h"
#include "launcher/recipe/trained_model.h"
#include "launcher/sample/picture_output.h"
#include "launcher/sample/trained_data.h"
#include "model/sampling/picture_sampler.h"

namespace edt {

struct KnownOptions {
  std::string keep;               // "set:12", a file of latents or a picture; empty: nothing
  std::vector<std::int64_t> box;  // of it: left, top, width, height in pixels
  std::filesystem::path mask;     // or where this picture is white
  int resample = 1;
  std::string extend;        // "4x1" windows; empty: one
  std::int64_t overlap = 0;  // pixels that windows share; 0: chosen

  void declare(OptionSet& options);
  // UsageError for what does not go together, told by the options alone.
  void check(const OptionSet& set) const;

  // What is asked of a model of these latents, told before its weights are read.
  Extension extension(const LatentShape& latents) const;
  std::vector<std::uint8_t> kept(const LatentShape& latents) const;  // [H, W]; empty: nothing is

  // UsageError for what of a request the sampling around does not go with; `noise`: the option that
  // gives some, or empty.
  void require_possible(const PictureRequest& request, const Process& process,
                        std::string_view noise) const;
  // Files that are read; empty paths for none.
  std::vector<std::filesystem::path> inputs() const;
  // What encoding a picture takes; 0 where none is.
  std::size_t encoder_bytes(const VaeOptions& vae, const LatentShape& latents) const;

  struct Source {
    const TrainedModel& trained;
    const TrainedData& data;
    const VaeOptions& vae;  // encodes a picture
    Backend& backend;
    const PictureRequest& request;
  };
  // Latents as the model sees them, one for each picture or one for all. DataError, with both
  // sizes, for those that are not of the model's shape.
  std::vector<float> known(const Source& source) const;
  // For files of samples.
  void add_facts(const LatentShape& latents, nlohmann::ordered_json& notes) const;

 private:
  bool is_of_set() const;
  bool is_picture() const;
  std::vector<std::uint8_t> boxed(const LatentShape& latents) const;
  std::vector<std::uint8_t> masked(const LatentShape& latents) const;
};

}  // namespace edt
