#include "launcher/commands/sampled_run.h"
#include "launcher/recipe/model_data.h"

#include "launcher/commands/step_options.h"
#include "launcher/memory/memory_check.h"
#include "launcher/recipe/model_data.h"

namespace edt {

void SampledRun::declare(OptionSet& options) {
  options.add("checkpoint", &checkpoint, "a checkpoint, or a run directory: its newest")
      .alias("run.dir")
      .positional()
      .required();
  options.add("weights", &weights, "moving average or raw weights").choices({"ema", "raw"});
  options.add("images", &images, "pictures of each way, classes in turn").range(1, 1 << 20);
  options.add("batch", &request.batch, "pictures made together").range(1, 4096);
  options.add("cfg-scale", &request.guidance.scale, "classifier-free guidance; 1: none")
      .at_least(0)
      .single_precision();
  options.add("seed", &request.seed, "seed of the noise").at_least(0);
  device.declare(options, "");
  declare_dtype(options, dtype);
  options.add("json", &json, "for scripts");
}

void SampledRun::open(Communicator& world, const CacheConfig& cache,
                      const WeightsTypeOptions& weights_type) {
  const Checkpoint found = find_checkpoint(checkpoint);
  const ModelConfig config = model_config_of(found, configuration_of(found));
  require_no_conditions(config, "edt bench");
  request.guidance.validate();
  request.batch = std::min(request.batch, images);
  backend = device.make_backend(world);
  weights_type.require_possible(*backend, "--int8 is on");
  require_free_memory(PlannedSampler{.model = config,
                                     .dtype = dtype,
                                     .pictures = request.batch,
                                     .guided = request.guidance.scale != 1,
                                     .cache = cache,
                                     .int8 = weights_type.int8},
                      "--batch", backend->memory(), world);
  trained = std::make_unique<TrainedModel>(
      found, config, weights == "raw" ? kMasterArray : kEmaArray, *backend, dtype);
  sampler.emplace(trained->model(), *backend, dtype);
  for (std::int64_t i = 0; i < images; ++i) {
    request.labels.push_back(class_in_turn(i, config.classes()));
  }
}

}  // namespace edt
