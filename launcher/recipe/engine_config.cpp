#include "launcher/recipe/engine_config.h"

namespace edt {

ObjectiveConfig objective_config(const TrainConfig& config) {
  const bool has_complete_pass = config.model.gates.target.has_value() && !config.train.masked;
  return {.masked = config.train.masked,
          .shared_noise = config.train.shared_noise,
          .loss = config.train.loss,
          .dual_time = config.train.dual_time,
          .complete_steps = has_complete_pass ? config.dynamic.complete_steps : 0};
}

TrainingRecipe training_recipe(const TrainConfig& config, const ModelConfig& model) {
  return {model, engine_config(config), config.auxiliary(model)};
}

EngineConfig engine_config(const TrainConfig& config) {
  return {.dtype = config.run.dtype,
          .batch = config.train.batch,
          .micro_batch = config.train.micro_batch,
          .objective = objective_config(config),
          .recompute = config.train.recompute,
          .times = config.train.time_law(),
          .optimizer = config.optimizer.resolve(),
          .rate = config.optimizer.rate,
          .ema_decay = config.optimizer.ema_decay,
          .power_averages = config.optimizer.power_averages,
          .clip = config.train.clip,
          .zero = config.parallel.resolve(),
          .graphs = config.run.cuda_graphs,
          .seed = config.train.seed};
}

}  // namespace edt
