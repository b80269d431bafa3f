#include "model/recipe/training.h"

namespace edt {
namespace {

std::vector<AuxiliaryLoss*> pointers(const std::vector<std::unique_ptr<AuxiliaryLoss>>& all) {
  std::vector<AuxiliaryLoss*> pointers;
  for (const auto& one : all) pointers.push_back(one.get());
  return pointers;
}

}  // namespace

TrainedNetworks make_networks(const TrainingRecipe& recipe, Device& device,
                              TensorGroup tensor_ranks) {
  TrainedNetworks made;
  const ModelPlace place{device, recipe.engine.dtype, tensor_ranks};
  ModelConfig trained = recipe.model;
  if (recipe.auxiliary.sparsity) trained.common().masks = recipe.auxiliary.sparsity->masks();
  made.model = make_model(trained, device, recipe.engine.dtype, tensor_ranks);
  made.companions =
      make_companions(recipe.auxiliary, recipe.model, recipe.engine.objective, place, *made.model);
  return made;
}

Training::Training(const TrainingRecipe& recipe, Backend& backend, Communicator& data_ranks,
                   TensorGroup tensor_ranks)
    : Training(make_networks(recipe, backend, tensor_ranks), recipe, backend, data_ranks) {}

Training::Training(TrainedNetworks networks, const TrainingRecipe& recipe, Backend& backend,
                   Communicator& data_ranks)
    : networks_(std::move(networks)),
      engine_(*networks_.model, backend, data_ranks, recipe.engine,
              pointers(networks_.companions)) {}

void Training::begin() {
  for (const auto& one : networks_.companions) one->begin();
}

}  // namespace edt
