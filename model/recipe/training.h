// What a training step is made of. The only place where its parts are put together, for the
// trainer, dry runs, benchmarks and tests: what is planned and measured is what trains.
#pragma once

#include <memory>
#include <vector>

#include "model/auxiliary/companions.h"
#include "model/families/model_config.h"
#include "model/training/engine.h"

namespace edt {

struct TrainingRecipe {
  ModelConfig model;
  EngineConfig engine;
  AuxiliaryConfig auxiliary = {};
};

// A model with the parameters of what trains beside it.
struct TrainedNetworks {
  std::unique_ptr<Model> model;
  std::vector<std::unique_ptr<AuxiliaryLoss>> companions;
};

// `tensor_ranks` hold one model together.
TrainedNetworks make_networks(const TrainingRecipe& recipe, Device& device,
                              TensorGroup tensor_ranks = {});

class Training {
 public:
  // `data_ranks` hold the same part of the model, `tensor_ranks` hold one model together.
  Training(const TrainingRecipe& recipe, Backend& backend, Communicator& data_ranks,
           TensorGroup tensor_ranks = {});
  // With what make_networks() made of the recipe, on the same backend.
  Training(TrainedNetworks networks, const TrainingRecipe& recipe, Backend& backend,
           Communicator& data_ranks);

  // Before the first step: companions read what they need of files.
  void begin();

  Model& model() { return *networks_.model; }
  const Model& model() const { return *networks_.model; }
  TrainingEngine& engine() { return engine_; }
  const TrainingEngine& engine() const { return engine_; }

 private:
  TrainedNetworks networks_;
  TrainingEngine engine_;
};

}  // namespace edt
