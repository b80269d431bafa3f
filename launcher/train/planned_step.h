// A run's step as its memory and time are planned: with what sample grids and evaluation
// take beside it.
#pragma once

#include "launcher/recipe/train_config.h"
#include "model/plan/dry_run.h"

namespace edt {

// Pictures of a sample grid that are made together: few, so that there is work for many ranks.
inline constexpr std::int64_t kGridBatch = 2;

PlannedStep planned_step(const TrainConfig& config, const ModelConfig& model, int data_ranks = 1,
                         int tensor_ranks = 1);

}  // namespace edt
