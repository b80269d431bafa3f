// The sections [model], a preset, what to change of it and what each family adds, and [process],
// what the network is trained to undo.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/diffusion/process_options.h"
#include "model/families/model_config.h"

namespace edt {

// Of features of texts of which nobody says what gave them.
inline constexpr const char* kUnknownEncoder = "unknown";

struct ModelOptions {
  std::string preset = "EDT-S/2";
  // Of the pictures, in pixels, and of their latents. Where they are not given, those of the data;
  // without data those of the preset's latents.
  std::optional<std::int64_t> image_size;  // not given, nor by data: 256
  std::int64_t image_width = 0;            // 0: as wide as high
  std::optional<std::int64_t> channels, vae_factor;
  // Of sequences, instead of pictures: their frames, and the numbers of each frame's condition.
  std::optional<std::int64_t> length, frame_channels;
  std::optional<std::int64_t> classes, patch;
  SizeOptions sizes;
  std::optional<float> label_dropout;
  WeightStyle weights;
  ModulationForm modulation = ModulationForm::kFull;
  struct {
    std::optional<TextForm> form;
    std::optional<std::int64_t> tokens, channels;  // in training the data's
    std::optional<float> dropout;
    // What gave the features in training; samples want the same.
    std::string encoder = kUnknownEncoder;
  } text;
  std::vector<std::string> attention;  // form of each stage; empty: softmax
  LinearAttentionConfig of_linear;
  SpatialConfig spatial;
  UnitCounts kept;
  struct {
    std::optional<double> target;
    double router_bias = GateConfig{}.router_bias, token_bias = GateConfig{}.token_bias;
  } gates;
  decltype(families::options_of(static_cast<const Families*>(nullptr))) of_family;
  ProcessOptions process;

  void declare(OptionSet& options);
  // Where networks with gates can be trained: the section [dynamic], to which training adds options
  // of its own. Behind [prune], whose target has the name without its section.
  void declare_gates(OptionSet& options);
  // Whether the model will; without checking the rest.
  bool reads_texts() const;
  // The validated model; `data_classes` stands in where the number of classes is not given.
  ModelConfig resolve(std::int64_t data_classes) const;

 private:
  void declare_text(OptionSet& options);
  void apply_gates(CommonConfig& common) const;
  void apply_text(CommonConfig& common) const;
  LatentShape sequence_of(const CommonConfig& common) const;
  LatentShape picture_of(const CommonConfig& common, const GridStep& step) const;
};

// What `edt sample` can be told that only some families have.
struct InferenceOptions {
  decltype(families::inferences_of(static_cast<const Families*>(nullptr))) of_family;

  void declare(OptionSet& options);
  // Refuses what was given and belongs to another family or another process: UsageError.
  void apply(const OptionSet& options, ModelConfig& config) const;
};

// Names of the presets of families whose steps can do something, for options that need it, and of
// these families.
struct CapableFamilies {
  std::string names;  // "EDT"
  std::vector<std::string> presets;
};
CapableFamilies families_with(bool PassKinds::*capability);

}  // namespace edt
