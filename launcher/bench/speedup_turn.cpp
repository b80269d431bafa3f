#include "launcher/bench/speedup_turn.h"

#include <numeric>

#include "core/optim/grad_norm.h"
#include "data/prefetcher.h"
#include "launcher/bench/memory_growth.h"
#include "launcher/bench/sampler_inputs.h"
#include "launcher/machine/measuring.h"
#include "model/plan/gemms.h"
#include "model/weights.h"
#include "parallel/comm/self/self_communicator.h"

namespace edt {
namespace {

// Weights of the size that training gives them, without drawing hundreds of millions of numbers.
void fill_weights(Device& device, std::span<float> weights) {
  std::vector<float> tile(std::min<std::size_t>(weights.size(), std::size_t{1} << 18));
  random::fill_normal({.purpose = random::Purpose::kBenchmark}, tile);
  for (float& w : tile) w *= 0.02f;
  for (std::size_t at = 0; at < weights.size(); at += tile.size()) {
    const std::size_t count = std::min(tile.size(), weights.size() - at);
    to_device(device, std::span<const float>(tile).first(count), weights.subspan(at, count));
  }
}

// Latents of one micro-batch after the other: the same from memory, or the next from shards.
class Batches {
 public:
  Batches(const SpeedupOptions& options, const Model& model)
      : synthetic_(model, options.micro_batch) {
    if (options.shards.empty()) return;
    dataset_.emplace(options.shards);
    const LatentShape& latents = model.latents();
    dataset_->require_fits(static_cast<int>(latents.channels), static_cast<int>(latents.height),
                           static_cast<int>(latents.width), static_cast<int>(model.classes()));
    const auto size = static_cast<std::uint64_t>(options.micro_batch);
    reader_.emplace(*dataset_, dataset_->make_order({}), size,
                    [](std::uint64_t number, std::span<std::uint64_t> positions) {
                      std::iota(positions.begin(), positions.end(), number * positions.size());
                    });
  }

  void give_to(TrainingEngine& engine, std::int64_t index) {
    if (!reader_) return engine.run_micro_batch(index, synthetic_.latents, synthetic_.labels);
    const data::Batch& batch = reader_->next();
    engine.run_micro_batch(index, batch.latents, batch.labels);
  }

 private:
  SyntheticBatch synthetic_;
  std::optional<data::Dataset> dataset_;
  std::optional<data::Prefetcher> reader_;
};

double ceiling_rate(Backend& backend, const std::vector<MatmulForm>& forms,
                    const SpeedupOptions& options) {
  const auto ceiling = backend.matmul_ceiling(forms, options.dtype);
  require<UsageError>(ceiling != nullptr, "bench speedup",
                      "the {} backend has no ceiling to measure against", backend.name());
  ceiling->run();
  // By its own clock: around a GPU's products the host's would see more than these.
  double seconds = 0;
  const double processor_seconds = seconds_of(options.clock, [&] { seconds = ceiling->run(); });
  return ceiling->flops() / (options.clock == BenchClock::kWall ? seconds : processor_seconds);
}

std::size_t total_bytes(const std::vector<MemoryUse>& uses) {
  return std::accumulate(uses.begin(), uses.end(), std::size_t{0},
                         [](std::size_t sum, const MemoryUse& use) { return sum + use.bytes; });
}

}  // namespace

Turn training_turn(const Variant& variant, const SpeedupOptions& options, Backend& backend,
                   int round) {
  const MemoryGrowth growth(backend.memory());
  Turn turn;
  {
    const auto alone = make_self_communicator();
    Training training({variant.model, engine_config(variant, options)}, backend, *alone);
    TrainingEngine& engine = training.engine();
    fill_weights(backend, engine.state().master());
    fill_weights(backend, engine.state().ema());
    const int warm_up = backend.in_host_memory() ? 1 : 2;  // a GPU's second captures its graphs
    engine.restored(round * (options.steps + warm_up), 0);
    Batches batches(options, training.model());
    const auto step = [&] {
      engine.begin_step();
      for (std::int64_t i = 0; i < options.accumulate; ++i) batches.give_to(engine, i);
      const StepReport report = engine.finish_step();
      require<NumericError>(report.non_finite.empty(), "bench speedup", "{}: {} is not finite",
                            variant.label, report.non_finite);
      backend.synchronize();
    };
    for (int i = 0; i < warm_up; ++i) step();  // first touch of memory
    for (int i = 0; i < options.steps; ++i) {
      turn.seconds.push_back(seconds_of(options.clock, step));
      turn.flops += engine.profiler().total_flops() / options.steps;
    }
    turn.memory_bytes = total_bytes(engine.memory());
    turn.taken_bytes = growth.bytes();
  }
  auto forms = training_gemms({{variant.model, engine_config(variant, options)}});
  for (MatmulForm& form : forms) form.count *= options.accumulate;
  turn.ceiling_rate = ceiling_rate(backend, forms, options);
  return turn;
}

Turn inference_turn(const Variant& variant, const SpeedupOptions& options, Backend& backend) {
  const MemoryGrowth growth(backend.memory());
  const std::int64_t rows = 2 * options.micro_batch;  // with and without class
  Turn turn;
  {
    const auto model = make_model(variant.model, backend, options.dtype, {}, ModelUse::kSampling);
    const FlatLayout layout = FlatLayout::of(parameter_pointers(model->parameters()),
                                             static_cast<std::int64_t>(kNormBlock));
    const Block memory = zeroed_floats(backend, layout.size());
    const std::span<float> weights(static_cast<float*>(memory.data()),
                                   static_cast<std::size_t>(layout.size()));
    fill_weights(backend, weights);
    const BoundWeights bound(backend, model->parameters(), layout, weights, options.dtype);
    Profiler profiler;
    Arena arena(backend.memory());
    Tape tape(backend, arena, profiler, options.dtype);
    const Tape::NoGrad inference(tape);
    SamplerInputs inputs(backend, *model, rows);
    const auto step = [&] {
      profiler.reset();
      inputs.run(*model, tape);
    };
    step();
    for (int i = 0; i < options.steps; ++i) {
      turn.seconds.push_back(seconds_of(options.clock, step));
      turn.flops += profiler.total_flops() / options.steps;
    }
    turn.memory_bytes =
        weights.size() *
            (sizeof(float) + (options.dtype == DType::kFloat32 ? 0 : size_of(options.dtype))) +
        arena.peak_bytes();
    turn.taken_bytes = growth.bytes();
  }
  turn.ceiling_rate = ceiling_rate(backend, forward_gemms(variant.model, rows), options);
  return turn;
}

}  // namespace edt
