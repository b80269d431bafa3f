#include "launcher/bench/step_bench.h"

#include "launcher/bench/ceiling_forms.h"
#include "launcher/bench/memory_growth.h"
#include "launcher/bench/sampler_inputs.h"
#include "launcher/bench/step_rounds.h"
#include "launcher/bench/synthetic_batch.h"
#include "launcher/memory/memory_check.h"
#include "parallel/device_communicator.h"
#include "parallel/self/self_communicator.h"

namespace edt {
namespace {

// Warms up, reads the memory, runs the rounds.
void measure(const std::function<StepSeconds()>& step, const std::vector<MatmulForm>& forms,
             const StepBenchOptions& options, int steps, Backend& backend, Profiler& profiler,
             Communicator& ranks, const MemoryGrowth& growth, StepBenchResult& result) {
  step();  // first touch of memory, primitives compiled
  step();  // graphs captured
  result.memory_growth_bytes = growth.bytes();
  result.peak_memory_bytes =  // before the ceiling's operands are there
      static_cast<std::size_t>(ranks.all_reduce_value(static_cast<double>(growth.peak_bytes()),
                                                      Reduce::kMax, "peak memory"));
  const auto ceiling = backend.matmul_ceiling(forms, options.dtype);
  require<UsageError>(ceiling != nullptr, "bench",
                      "the {} backend has no ceiling to measure against", backend.name());
  ceiling->run();
  StepRounds rounds(step, *ceiling, profiler, ranks);
  for (int round = 0; round < options.rounds; ++round) rounds.round(steps);
  rounds.fill(result);
  // The host does not see what a device that works behind it is at.
  if (!backend.in_host_memory()) result.time_share.clear();
}

}  // namespace

EngineConfig step_engine_config(const StepBenchOptions& options) {
  EngineConfig config;
  config.dtype = options.dtype;
  config.micro_batch = options.micro_batch;
  config.batch = options.micro_batch * options.accumulate;
  config.objective.masked = options.masked;
  config.objective.shared_noise = options.shared_noise;
  config.recompute = options.recompute;
  config.zero = options.zero;
  config.graphs = options.graphs;
  if (options.adamw) config.optimizer = AdamWConfig{};
  config.rate.initial = 1e-4;
  return config;
}

StepBenchResult bench_training_step(const StepBenchOptions& options, Backend& backend,
                                    const Mesh& mesh) {
  const MemoryGrowth growth(backend.memory());
  const auto activations = communicator_for(backend, mesh.tensor(), "activations");
  const auto model =
      make_model(options.model, backend, options.dtype, {&mesh.tensor(), activations.get()});
  const std::int64_t passes = options.masked ? 2 : 1;
  const auto forms = training_forms(
      options.model.training_matmuls(options.micro_batch, options.masked, mesh.tensor().size()),
      options.accumulate);
  EngineConfig config = step_engine_config(options);
  config.batch *= mesh.data().size();
  if (options.memory_check) {
    require_free_memory({options.model, config, mesh.data().size(), mesh.tensor().size()},
                        backend.memory(), mesh.world());
  }
  TrainingEngine engine(*model, backend, mesh.data(), config);
  engine.initialize();
  const SyntheticBatch batch(*model, options.micro_batch);

  StepBenchResult result;
  result.images = config.batch;
  result.formula = fmt::format(
      "2 FLOPs x {:.3f} GMAC forward x 3 (forward, input and weight gradient) x {} pass{}; first "
      "layers need no input gradient{}",
      static_cast<double>(total_macs(options.model.forward_matmuls(1))) / 1e9, passes,
      passes == 1 ? "" : "es", options.shared_noise ? "; what both passes share counts once" : "");
  const auto step = [&]() -> StepSeconds {
    engine.begin_step();
    for (const std::int64_t index : engine.own_micro_batches()) {
      engine.run_micro_batch(index, batch.latents, batch.labels);
    }
    const StepReport report = engine.finish_step();
    backend.synchronize();
    return {{report.communication_seconds + report.hidden_communication_seconds,
             report.communication_seconds},
            report.compute_seconds};
  };
  measure(step, forms, options, options.steps, backend, engine.profiler(), mesh.world(), growth,
          result);
  result.memory = engine.memory();
  return result;
}

StepBenchResult bench_sampler_step(const StepBenchOptions& options, Backend& backend) {
  const MemoryGrowth growth(backend.memory());
  const auto model = make_model(options.model, backend, options.dtype);
  const std::int64_t images = 2 * options.micro_batch;
  const auto forms = forward_forms(options.model.forward_matmuls(images), 1);
  const auto communicator = make_self_communicator();
  EngineConfig config = step_engine_config(options);
  config.micro_batch = config.batch = 1;
  TrainingEngine engine(*model, backend, *communicator, config);
  engine.initialize();
  model->set_amm_blocks(options.model.amm_blocks());

  StepBenchResult result;
  result.images = options.micro_batch;
  result.formula =
      fmt::format("2 FLOPs x {:.3f} GMAC forward x 2 (with and without class)",
                  static_cast<double>(total_macs(options.model.forward_matmuls(1))) / 1e9);
  SamplerInputs inputs(backend, *model, images);
  Tape& tape = engine.tape();
  const Tape::NoGrad inference(tape);
  const auto step = [&]() -> StepSeconds {
    inputs.run(*model, tape);
    return {};
  };
  measure(step, forms, options, 1, backend, engine.profiler(), *communicator, growth, result);
  result.memory = engine.memory();
  return result;
}

}  // namespace edt
