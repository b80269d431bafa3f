// What a run's options say to the training engine: the same for training and for plans of it.
#pragma once

#include "launcher/recipe/train_config.h"
#include "model/recipe/training.h"

namespace edt {

TrainingRecipe training_recipe(const TrainConfig& config, const ModelConfig& model);
ObjectiveConfig objective_config(const TrainConfig& config);
EngineConfig engine_config(const TrainConfig& config);

}  // namespace edt
