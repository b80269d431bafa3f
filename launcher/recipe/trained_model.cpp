#include "launcher/recipe/trained_model.h"

#include <algorithm>

#include "core/optim/grad_norm.h"

namespace edt {
namespace {

std::int64_t classes_of(const Manifest& manifest) {
  for (const LogicalTensor& tensor : manifest.tensors) {
    if (tensor.name == "y_embedder.embedding_table.weight") return tensor.shape[0] - 1;
  }
  fail<CheckpointError>("checkpoint", "there is no y_embedder.embedding_table.weight");
}

}  // namespace

TrainConfig configuration_of(const Checkpoint& checkpoint) {
  TrainConfig config;
  OptionSet options("train", "");
  config.declare(options);
  options.read(
      parse_ini(checkpoint.info().configuration, (checkpoint.path() / kManifestName).string()));
  return config;
}

ModelConfig model_config_of(const Checkpoint& checkpoint, const TrainConfig& config) {
  return config.model.resolve(classes_of(checkpoint.manifest()));
}

TrainedModel::TrainedModel(const Checkpoint& checkpoint, const ModelConfig& model,
                           std::string_view array, Backend& backend, DType dtype, ModelUse use)
    : config_(configuration_of(checkpoint)),
      step_(checkpoint.info().step),
      checkpoint_(checkpoint.path()),
      latents_(LatentSpace::of(checkpoint.info())),
      model_config_(model),
      model_(make_model(model, backend, dtype, {}, use)) {
  const auto parameters = parameter_pointers(model_->parameters());
  const FlatLayout layout = FlatLayout::of(parameters, static_cast<std::int64_t>(kNormBlock));
  memory_ = Block(host_memory(), static_cast<std::size_t>(layout.size()) * sizeof(float));
  const std::span<float> weights(static_cast<float*>(memory_.data()),
                                 static_cast<std::size_t>(layout.size()));
  std::ranges::fill(weights, 0.f);  // the layout's padding
  checkpoint.load(state_of(layout, layout.whole(), {{std::string(array), weights}}),
                  PartsRule::kNetwork);
  weights_ = std::make_unique<BoundWeights>(backend, model_->parameters(), layout, weights, dtype);
}

}  // namespace edt
