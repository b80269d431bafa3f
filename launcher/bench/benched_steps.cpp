#include "launcher/bench/benched_steps.h"

#include "launcher/memory/memory_check.h"
#include "parallel/device_communicator.h"
#include "parallel/self/self_communicator.h"

namespace edt {
namespace {

EngineConfig training_config(const StepBenchOptions& options, Backend& backend, const Mesh& mesh) {
  EngineConfig config = step_engine_config(options);
  config.batch *= mesh.data().size();
  if (options.memory_check) {
    require_free_memory({options.model, config, mesh.data().size(), mesh.tensor().size()},
                        backend.memory(), mesh.world());
  }
  return config;
}

EngineConfig sampler_config(const StepBenchOptions& options) {
  EngineConfig config = step_engine_config(options);
  config.micro_batch = config.batch = 1;
  return config;
}

}  // namespace

TrainingSteps::TrainingSteps(const StepBenchOptions& options, Backend& backend, const Mesh& mesh)
    : backend_(backend),
      activations_(communicator_for(backend, mesh.tensor(), "activations")),
      model_(
          make_model(options.model, backend, options.dtype, {&mesh.tensor(), activations_.get()})),
      config_(training_config(options, backend, mesh)),
      engine_(*model_, backend, mesh.data(), config_),
      batch_(*model_, options.micro_batch) {
  engine_.initialize();
}

StepSeconds TrainingSteps::run() {
  engine_.begin_step();
  for (const std::int64_t index : engine_.own_micro_batches()) {
    engine_.run_micro_batch(index, batch_.latents, batch_.labels);
  }
  const StepReport report = engine_.finish_step();
  backend_.synchronize();
  return {{report.communication_seconds + report.hidden_communication_seconds,
           report.communication_seconds},
          report.compute_seconds};
}

SamplerSteps::SamplerSteps(const StepBenchOptions& options, Backend& backend)
    : communicator_(make_self_communicator()),
      model_(make_model(options.model, backend, options.dtype)),
      engine_(*model_, backend, *communicator_, sampler_config(options)),
      inputs_(backend, *model_, 2 * options.micro_batch),
      inference_(engine_.tape()) {
  engine_.initialize();
  model_->set_amm_blocks(options.model.amm_blocks());
}

}  // namespace edt
