// Where finished sequences go: an .npz in the units of the data, latents as of pictures, and a page
// of plots beside sequences of the data set. No picture is drawn.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/options/options.h"
#include "launcher/recipe/latent_space.h"
#include "launcher/sample/latents_file.h"
#include "launcher/sample/picture_output.h"
#include "launcher/sample/sample_output.h"
#include "model/families/model_config.h"

namespace edt {

// UsageError for outputs that are of pictures where the model makes sequences, or of sequences
// where it makes pictures.
void check_outputs(const OutputPaths& paths, const OptionSet& set, const ModelConfig& model);

// What is beside the sequences of a request.
struct SequenceContext {
  std::vector<std::int32_t> labels;
  std::int64_t channels = 0, frames = 0;  // of a sequence
  LatentSpace space;                      // of the model
  std::vector<float> conditions;          // [N, frames, numbers]; empty: none
  std::vector<float> of_data;             // as the model sees them, [n, channels, frames]
  std::vector<std::uint64_t> samples;     // which of the data set these n are
  std::string model, data;                // for people
  nlohmann::ordered_json notes;           // of a file of latents
};

class SequenceOutput final : public SampleOutput {
 public:
  // Throws UsageError for places that cannot be written.
  SequenceOutput(const OutputPaths& paths, SequenceContext context);

  void add(std::span<const float> latents) override;
  void finish() override;

 private:
  OutputPaths paths_;
  SequenceContext context_;
  std::vector<float> made_;  // as the model makes them, [N, channels, frames]
  std::unique_ptr<LatentsFile> latents_;
};

}  // namespace edt
