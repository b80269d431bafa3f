// What a training step is made of. The only place where its parts are put together, for the
// trainer, dry runs, benchmarks and tests: what is planned and measured is what trains.
#pragma once

#include <memory>

#include "model/families/model_config.h"
#include "model/training/engine.h"

namespace edt {

struct TrainingRecipe {
  ModelConfig model;
  EngineConfig engine;
};

class Training {
 public:
  // `data_ranks` hold the same part of the model, `tensor_ranks` hold one model together.
  Training(const TrainingRecipe& recipe, Backend& backend, Communicator& data_ranks,
           TensorGroup tensor_ranks = {});
  // With a model that was made by make_model() of recipe.model, on the same backend.
  Training(std::unique_ptr<Model> model, const TrainingRecipe& recipe, Backend& backend,
           Communicator& data_ranks);

  Model& model() { return *model_; }
  const Model& model() const { return *model_; }
  TrainingEngine& engine() { return engine_; }
  const TrainingEngine& engine() const { return engine_; }

 private:
  std::unique_ptr<Model> model_;
  TrainingEngine engine_;
};

}  // namespace edt
