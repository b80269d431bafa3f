// What a run's options say to the training engine: the same for training and for plans of it.
#pragma once

#include "launcher/recipe/train_config.h"
#include "model/training/engine.h"

namespace edt {

EngineConfig engine_config(const TrainConfig& config);

}  // namespace edt
