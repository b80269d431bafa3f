// A model rebuilt from a checkpoint or a file of packed weights, with its weights, ready to sample.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "core/ops/backend.h"
#include "core/ops/weight_hold.h"
#include "launcher/recipe/latent_space.h"
#include "launcher/recipe/train_config.h"
#include "launcher/recipe/trained_weights.h"
#include "model/weights.h"
#include "parallel/sharding/flat_layout.h"

namespace edt {

// The configuration that weights were trained with, and the model it describes.
TrainConfig configuration_of(const TrainedWeights& weights);
ModelConfig model_config_of(const TrainedWeights& weights, const TrainConfig& config);

class TrainedModel {
 public:
  // `model`: what model_config_of() says, changed by how it is to sample; `array`: "ema" or
  // "master"; `use`: as it samples, or as it is trained, for its loss.
  TrainedModel(const TrainedWeights& from, const ModelConfig& model, std::string_view array,
               Backend& backend, DType dtype, ModelUse use = ModelUse::kSampling);

  Model& model() { return *model_; }
  // The configuration the model was trained with.
  const TrainConfig& config() const { return config_; }
  const ModelConfig& model_config() const { return model_config_; }
  std::int64_t step() const { return step_; }
  const std::filesystem::path& checkpoint() const { return checkpoint_; }
  // What its latents are; nothing: the checkpoint does not say.
  const std::optional<LatentSpace>& latents() const { return latents_; }
  // Other forms of its weights, which it is multiplied with as long as it lives.
  void hold(std::vector<WeightHold> forms) {
    forms_.insert(forms_.end(), forms.begin(), forms.end());
  }

 private:
  TrainConfig config_;
  std::int64_t step_ = 0;
  std::filesystem::path checkpoint_;
  std::optional<LatentSpace> latents_;
  ModelConfig model_config_;
  std::unique_ptr<Model> model_;
  Block memory_;
  std::unique_ptr<BoundWeights> weights_;
  std::vector<WeightHold> forms_;
};

}  // namespace edt
