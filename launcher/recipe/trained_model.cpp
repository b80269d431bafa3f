#include "launcher/recipe/trained_model.h"

#include <algorithm>

#include "core/optim/grad_norm.h"
#include "model/ternary.h"

namespace edt {

TrainConfig configuration_of(const TrainedWeights& weights) {
  TrainConfig config;
  OptionSet options("train", "");
  config.declare(options);
  std::error_code ignored;
  const bool is_file = std::filesystem::is_regular_file(weights.path(), ignored);
  options.read(parse_ini(weights.info().configuration,
                         (is_file ? weights.path() : weights.path() / kManifestName).string()));
  return config;
}

ModelConfig model_config_of(const TrainedWeights& weights, const TrainConfig& config) {
  return config.model.resolve(weights.classes());
}

TrainedModel::TrainedModel(const TrainedWeights& from, const ModelConfig& model,
                           std::string_view array, Backend& backend, DType dtype, ModelUse use)
    : config_(configuration_of(from)),
      step_(from.info().step),
      checkpoint_(from.path()),
      latents_(LatentSpace::of(from.info())),
      model_config_(model),
      model_(make_model(model, backend, dtype, {}, use)) {
  const auto parameters = parameter_pointers(model_->parameters());
  const FlatLayout layout = FlatLayout::of(parameters, static_cast<std::int64_t>(kNormBlock));
  memory_ = Block(host_memory(), static_cast<std::size_t>(layout.size()) * sizeof(float));
  const std::span<float> weights(static_cast<float*>(memory_.data()),
                                 static_cast<std::size_t>(layout.size()));
  std::ranges::fill(weights, 0.f);  // the layout's padding
  from.load(array, layout, weights);
  fold_ternary(model_->parameters(), layout, weights);
  weights_ = std::make_unique<BoundWeights>(backend, model_->parameters(), layout, weights, dtype);
}

}  // namespace edt
