#include "launcher/bench/step_bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <functional>

#include "launcher/bench/ceiling_forms.h"
#include "launcher/bench/measuring.h"
#include "launcher/bench/sampler_inputs.h"
#include "launcher/bench/synthetic_batch.h"
#include "launcher/memory/memory_check.h"
#include "parallel/device_communicator.h"
#include "parallel/self/self_communicator.h"

namespace edt {
namespace {

// Largest resident size of this process so far.
std::size_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

// Of one step on this rank.
struct StepSeconds {
  CommunicationTime communication;
  double computing = 0;
};
using Step = std::function<StepSeconds()>;

// Runs step and ceiling in turn and fills the rates. `profiler` covers one step of this rank.
void measure(const Step& step, const std::vector<MatmulForm>& forms, DType dtype, Backend& backend,
             Profiler& profiler, int rounds, int consecutive, Communicator& ranks,
             std::size_t resident_before, StepBenchResult& result) {
  const auto over_ranks = [&](double value, Reduce reduce) {
    return ranks.all_reduce_value(value, reduce, "measurement");
  };
  step();  // first touch of memory, primitives compiled
  step();  // graphs captured
  result.resident_growth_bytes = resident_bytes() - resident_before;
  result.peak_memory_bytes = static_cast<std::size_t>(  // before the ceiling's operands are there
      over_ranks(static_cast<double>(peak_memory_bytes()), Reduce::kMax));
  const auto ceiling = backend.matmul_ceiling(forms, dtype);
  require<UsageError>(ceiling != nullptr, "bench",
                      "the {} backend has no ceiling to measure against", backend.name());
  ceiling->run();
  std::vector<double> steps, ratios, ceilings, exposed, hidden, imbalance;
  double flops = 0;
  std::vector<Profiler::Entry> scopes;
  for (int round = 0; round < rounds; ++round) {
    ranks.barrier("begin of the ceiling");
    ceilings.push_back(over_ranks(ceiling->flops() / ceiling->run(), Reduce::kSum));
    profiler.reset();
    ranks.barrier("begin of the step");
    StepSeconds time;
    const double seconds = seconds_of([&] {
                             for (int i = 0; i < consecutive; ++i) {
                               profiler.reset();
                               time = step();
                             }
                           }) /
                           consecutive;
    steps.push_back(over_ranks(seconds, Reduce::kMax));
    flops = over_ranks(profiler.total_flops(), Reduce::kSum);
    scopes = profiler.entries();
    ratios.push_back(flops / steps.back() / ceilings.back());
    exposed.push_back(time.communication.exposed / seconds);
    hidden.push_back(time.communication.hidden() / seconds);
    const double mean_computing = over_ranks(time.computing, Reduce::kSum) / ranks.size();
    const double slowest = over_ranks(time.computing, Reduce::kMax);
    imbalance.push_back(mean_computing > 0 ? slowest / mean_computing : 1);
  }
  result.step_seconds = median(steps);
  result.fastest_seconds = std::ranges::min(steps);
  result.slowest_seconds = std::ranges::max(steps);
  const auto images = static_cast<double>(result.images);
  result.images_per_second = images / result.step_seconds;
  result.gflop_per_image = flops / images / 1e9;
  result.recompute_gflop_per_image =
      over_ranks(profiler.total_recompute_flops(), Reduce::kSum) / images / 1e9;
  result.achieved_gflops = flops / result.step_seconds / 1e9;
  result.ceiling_gflops = median(ceilings) / 1e9;
  result.ceiling_dtype = ceiling->dtype();
  result.ceiling_ratio = median(ratios);
  result.exposed_communication = median(exposed);
  result.hidden_communication = median(hidden);
  result.imbalance = median(imbalance);
  double other = 1;
  for (const Profiler::Entry& scope : scopes) {
    const double share = scope.seconds / steps.back();
    result.time_share.emplace_back(scope.name, share);
    other -= share;
  }
  result.time_share.emplace_back("other", other);
  std::ranges::stable_sort(result.time_share, std::greater{}, [](auto& e) { return e.second; });
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
  const std::size_t resident_before = resident_bytes();
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
  measure(step, forms, options.dtype, backend, engine.profiler(), options.rounds, options.steps,
          mesh.world(), resident_before, result);
  result.memory = engine.memory();
  return result;
}

StepBenchResult bench_sampler_step(const StepBenchOptions& options, Backend& backend) {
  const std::size_t resident_before = resident_bytes();
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
  measure(step, forms, options.dtype, backend, engine.profiler(), options.rounds, 1, *communicator,
          resident_before, result);
  result.memory = engine.memory();
  return result;
}

}  // namespace edt
