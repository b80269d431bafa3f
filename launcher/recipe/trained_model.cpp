#include "launcher/recipe/trained_model.h"

#include <algorithm>

#include "core/optim/grad_norm.h"
#include "core/reference/reference_backend.h"
#include "launcher/recipe/pruned_weights.h"
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

namespace {

// Of a run that is being pruned: its masks become part of the weights behind them.
void fold_masks(const Checkpoint& checkpoint, const TrainConfig& config, const FlatLayout& layout,
                std::span<float> weights) {
  const ModelConfig whole = model_config_of(checkpoint, config);
  const auto masks = masks_in(checkpoint, config, whole);
  if (!masks) return;
  for (std::size_t i = 0; i < layout.tensors().size(); ++i) {
    const FlatTensor& tensor = layout.tensor(i);
    masks->cut.fold(tensor.name, tensor.shape,
                    weights.subspan(static_cast<std::size_t>(tensor.offset),
                                    static_cast<std::size_t>(tensor.elements())));
  }
}

// Into those of `layout`; of a run with gates that are all to be open theirs are left out.
void load_weights(const TrainedWeights& from, std::string_view array, const ModelConfig& trained,
                  const ModelConfig& model, const FlatLayout& layout, std::span<float> weights) {
  if (trained.common().gates.is_on() == model.common().gates.is_on()) {
    return from.load(array, layout, weights);
  }
  const auto backend = make_reference_backend();  // of whose memory none is asked for
  const auto whole = make_model(trained, *backend, DType::kFloat32);
  const FlatLayout all = FlatLayout::of(parameter_pointers(whole->parameters()),
                                        static_cast<std::int64_t>(kNormBlock));
  std::vector<float> values(static_cast<std::size_t>(all.size()));
  from.load(array, all, values);
  for (const FlatTensor& tensor : layout.tensors()) {
    const FlatTensor& stored = all.tensor(all.find(tensor.name));
    std::copy_n(values.begin() + stored.offset, stored.elements(), weights.begin() + tensor.offset);
  }
}

}  // namespace

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
  load_weights(from, array, model_config_of(from, config_), model, layout, weights);
  const std::vector<Parameter*> folded = fold_ternary(model_->parameters(), layout, weights);
  if (from.checkpoint() != nullptr) fold_masks(*from.checkpoint(), config_, layout, weights);
  weights_ = std::make_unique<BoundWeights>(backend, model_->parameters(), layout, weights, dtype);
  if (use == ModelUse::kSampling) hold(pack_folded(folded, backend));
}

}  // namespace edt
