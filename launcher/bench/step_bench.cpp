#include "launcher/bench/step_bench.h"

#include <optional>

#include "core/base/median.h"
#include "core/cpu/peak_rate.h"
#include "core/cpu/read_rate.h"
#include "launcher/bench/benched_steps.h"
#include "launcher/bench/memory_growth.h"
#include "model/plan/gemms.h"
#include "parallel/comm/self/self_communicator.h"

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
  std::optional<CpuReadRate> memory;
  if (result.weight_bytes > 0) memory.emplace();
  const auto limits = [&] {
    return MachineLimits{backend.in_host_memory() ? cpu_peak_rate(ceiling->dtype()) : 0.0,
                         memory ? memory->measure() : 0.0};
  };
  StepRounds rounds(step, *ceiling, limits, profiler, ranks);
  for (int round = 0; round < options.rounds; ++round) rounds.round(steps);
  rounds.fill(result);
  // The host does not see what a device that works behind it is at.
  if (!backend.in_host_memory()) result.time_share.clear();
}

// Sampler steps and decoding of their pictures, in turn.
void measure_decoding(Autoencoder& decoder, SamplerSteps& steps, const StepBenchOptions& options,
                      Backend& backend, StepBenchResult& result) {
  const LatentShape& shape = options.model.latents();
  const PictureSize latent{shape.height, shape.width};
  const std::vector<float> z(static_cast<std::size_t>(options.micro_batch * shape.elements()),
                             0.5f);
  const auto decode = [&] { decoder.decode(z, latent); };
  decode();  // primitives are made, memory is taken
  std::vector<double> seconds, shares;
  for (int round = 0; round < options.rounds; ++round) {
    const double step = backend.seconds_of([&] { steps.run(); });
    seconds.push_back(backend.seconds_of(decode));
    shares.push_back(seconds.back() / (step * options.sampler_steps));
  }
  result.decode_seconds = median(seconds) / static_cast<double>(options.micro_batch);
  result.decode_share = median(shares);
}

// Products of activations with each other are batches, one for each head.
double weight_bytes_of(const std::vector<MatmulForm>& forward, DType dtype) {
  double elements = 0;
  for (const MatmulForm& form : forward) {
    if (form.batch == 1) elements += static_cast<double>(form.count * form.n * form.k);
  }
  return elements * static_cast<double>(size_of(dtype));
}

}  // namespace

TrainingRecipe step_recipe(const StepBenchOptions& options) {
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
  config.power_averages = options.power_averages;
  return {options.model, config, options.auxiliary};
}

StepBenchResult bench_training_step(const StepBenchOptions& options, Backend& backend,
                                    const Mesh& mesh) {
  const MemoryGrowth growth(backend.memory());
  TrainingSteps steps(options, backend, mesh);
  const std::int64_t passes = options.masked ? 2 : 1;
  auto forms = training_gemms({step_recipe(options), mesh.data().size(), mesh.tensor().size()});
  for (MatmulForm& form : forms) form.count *= options.accumulate;

  StepBenchResult result;
  result.images = steps.images();
  result.formula = fmt::format(
      "2 FLOPs x {:.3f} GMAC forward x 3 (forward, input and weight gradient) x {} pass{}; first "
      "layers need no input gradient{}{}",
      total_macs(forward_gemms(options.model, 1)) / 1e9, passes, passes == 1 ? "" : "es",
      options.shared_noise ? "; what both passes share counts once" : "",
      options.auxiliary.empty() ? "" : "; and what trains beside");
  measure([&] { return steps.run(); }, forms, options, options.steps, backend,
          steps.engine().profiler(), mesh.world(), growth, result);
  result.memory = steps.engine().memory();
  return result;
}

StepBenchResult bench_sampler_step(const StepBenchOptions& options, Backend& backend,
                                   Communicator& world, Autoencoder* decoder) {
  const MemoryGrowth growth(backend.memory());
  SamplerSteps steps(options, backend, world);
  const auto forms = forward_gemms(options.model, 2 * options.micro_batch);
  const auto communicator = make_self_communicator();

  StepBenchResult result;
  result.images = options.micro_batch;
  result.formula = fmt::format("2 FLOPs x {:.3f} GMAC forward x 2 (with and without class)",
                               total_macs(forward_gemms(options.model, 1)) / 1e9);
  // Which of the weights are integers the forms do not say.
  if (backend.in_host_memory() && !options.weights_type.int8) {
    result.weight_bytes = weight_bytes_of(forms, options.dtype);
  }
  const auto step = [&]() -> StepSeconds {
    steps.run();
    return {};
  };
  measure(step, forms, options, 1, backend, steps.profiler(), *communicator, growth, result);
  result.memory = steps.memory();
  if (decoder != nullptr) measure_decoding(*decoder, steps, options, backend, result);
  return result;
}

}  // namespace edt
