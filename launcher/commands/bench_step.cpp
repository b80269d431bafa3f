// edt bench step, edt bench sampling: whole steps against the machine's matrix-product ceiling.
#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/options/options.h"
#include "launcher/autoencoder/vae_options.h"
#include "launcher/bench/step_bench.h"
#include "launcher/commands/step_options.h"
#include "launcher/commands/table.h"
#include "launcher/recipe/train_config.h"
#include "launcher/text/report.h"
#include "model/autoencoder/published.h"
#include "model/plan/autoencoder_run.h"

namespace edt {
namespace {

nlohmann::ordered_json to_json(const StepBenchOptions& options, const StepBenchResult& result) {
  nlohmann::ordered_json json{
      {"model", options.model.name()},
      {"dtype", name_of(options.dtype)},
      {"micro_batch", options.micro_batch},
      {"images_per_step", result.images},
      {"rounds", options.rounds},
      {"step_seconds", result.step_seconds},
      {"fastest_seconds", result.fastest_seconds},
      {"slowest_seconds", result.slowest_seconds},
      {"images_per_s", result.images_per_second},
      {"gflop_per_image", result.gflop_per_image},
      {"recompute_gflop_per_image", result.recompute_gflop_per_image},
      {"achieved_gflops", result.achieved_gflops},
      {"ceiling_gflops", result.ceiling_gflops},
      {"peak_gflops", result.peak_gflops},
      {"ceiling_dtype", name_of(result.ceiling_dtype)},
      {"ceiling_ratio", result.ceiling_ratio},
      {"ceiling_outdated", result.ceiling_ratio > 1 && !options.weights_type.int8},
      {"exposed_communication", result.exposed_communication},
      {"hidden_communication", result.hidden_communication},
      {"imbalance", result.imbalance},
      {"peak_memory_bytes", result.peak_memory_bytes},
      {"flop_formula", result.formula},
  };
  if (result.weight_bytes > 0) {
    json["weight_bytes"] = result.weight_bytes;
    json["memory_gbytes_per_s"] = result.read_bytes_per_second / 1e9;
    json["bandwidth_share"] = bandwidth_share(result);
  }
  options.weights_type.add_facts(json);
  json["memory_growth_bytes"] = result.memory_growth_bytes;
  if (result.decode_seconds > 0) {
    json["decoder"] = options.decoder;
    json["sampler_steps"] = options.sampler_steps;
    json["decode_seconds_per_image"] = result.decode_seconds;
    json["decode_share_of_sampling"] = result.decode_share;
  }
  for (const auto& [scope, share] : result.time_share) json["time_share"][scope] = share;
  for (const MemoryUse& use : result.memory) json["memory"][std::string(use.category)] = use.bytes;
  return json;
}

void print_text(CommandContext& context, const StepBenchOptions& options,
                const StepBenchResult& result) {
  context.print("{} in {}, {} images a step, median of {} rounds\n", options.model.name(),
                options.weights_type.text(options.dtype), result.images, options.rounds);
  context.print("  step           {} ({} to {})\n", human_duration(result.step_seconds),
                human_duration(result.fastest_seconds), human_duration(result.slowest_seconds));
  context.print("  images/s       {:.3f}\n", result.images_per_second);
  context.print("  model FLOPs    {:.2f} GFLOP per image = {}\n", result.gflop_per_image,
                result.formula);
  if (result.recompute_gflop_per_image > 0) {
    context.print("  recompute      {:.2f} GFLOP per image beside\n",
                  result.recompute_gflop_per_image);
  }
  context.print("  achieved       {}\n", human_flops(result.achieved_gflops * 1e9));
  context.print("  ceiling        {} (products alone, {}, the step's own shapes, same run)\n",
                human_flops(result.ceiling_gflops * 1e9), name_of(result.ceiling_dtype));
  context.print("  ratio          {}\n", share_text(result.ceiling_ratio, 3));
  // Integers are faster than the products of the ceiling.
  if (result.ceiling_ratio > 1 && !options.weights_type.int8)
    context.print("                 {}\n", kShareNote);
  if (result.peak_gflops > 0) {
    context.print(
        "  peak           {} (multiply-adds between registers): products {:.2f} of it, the step "
        "{:.2f}\n",
        human_flops(result.peak_gflops * 1e9), result.ceiling_gflops / result.peak_gflops,
        result.achieved_gflops / result.peak_gflops);
  }
  if (result.weight_bytes > 0) {
    context.print("  weights        {}, read at {:.2f} of the {:.1f} GB/s of the memory\n",
                  human_bytes(result.weight_bytes), bandwidth_share(result),
                  result.read_bytes_per_second / 1e9);
  }
  if (context.world.size() > 1) {
    context.print("  communication  {:.1f} % of the step waited for, {:.1f} % hidden behind it\n",
                  100 * result.exposed_communication, 100 * result.hidden_communication);
  }
  context.print("  peak memory    {}\n",
                human_bytes(static_cast<double>(result.peak_memory_bytes)));
  if (result.decode_seconds > 0) {
    context.print("  decoding       {} a picture by {}, adds {} to {} steps of sampling it\n",
                  human_duration(result.decode_seconds), options.decoder,
                  human_percent(result.decode_share), options.sampler_steps);
  }
  if (result.time_share.empty()) return;
  Table table({"scope", "share of the step"});
  for (const auto& [scope, share] : result.time_share) {
    table.add({scope, fmt::format("{:.1f} %", 100 * share)});
  }
  context.print("{}", table.text());
}

// What decodes the pictures of a sampler.
struct DecoderOptions {
  std::filesystem::path vae;
  AutoencoderOptions network{.use = AutoencoderUse::kDecoding};

  std::unique_ptr<Autoencoder> load(Backend& backend) const {
    return load_or_draw(vae, backend, network);
  }
};

using Bench = std::function<StepBenchResult(StepBenchOptions&, Backend&)>;

int run(std::span<const std::string> args, CommandContext& context, OptionSet& options,
        StepBenchOptions& bench, const Bench& measure) {
  ModelOptions model;
  DeviceOptions device;
  bool as_json = false;
  model.declare(options);
  device.declare(options, "");
  declare_pass(options, bench);
  options.add("rounds", &bench.rounds, "steps timed, in turn with the ceiling").range(1, 10000);
  options.add("json", &as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;
  bench.model = model.resolve(1000);
  const auto backend = device.make_backend(context.world);
  const StepBenchResult result = measure(bench, *backend);
  if (as_json) {
    context.print("{}\n", dump_json(to_json(bench, result), 2));
  } else {
    print_text(context, bench, result);
  }
  return kDone;
}

}  // namespace

int bench_step(std::span<const std::string> args, CommandContext& context) {
  StepBenchOptions bench;
  OptionSet options("bench step",
                    "Times whole training steps (passes, optimizer, moving average) and, in turn, "
                    "the machine's matrix-product ceiling on the step's own shapes.");
  declare_training(options, bench);
  options
      .add("steps", &bench.steps,
           "steps timed together in a round: what one leaves to send counts in the next")
      .range(1, 1000);
  declare_graphs(options, bench.graphs);
  OptimizerKind optimizer = OptimizerKind::kAdan;
  options
      .add("optimizer", &optimizer,
           {{"adan", OptimizerKind::kAdan}, {"adamw", OptimizerKind::kAdamW}}, "update rule")
      .alias("optimizer.kind");
  OptimizerOptions averages;
  averages.declare_averages(options);
  ParallelOptions parallel;
  parallel.declare(options);
  AlignOptions align;
  align.declare(options);
  DistillOptions distill;
  distill.declare(options);
  return run(args, context, options, bench, [&](StepBenchOptions& chosen, Backend& backend) {
    check_training("bench step", chosen);
    chosen.zero = parallel.resolve();
    distill.validate();
    averages.check_averages();
    chosen.auxiliary = align.resolve();
    chosen.auxiliary.distillation = distill.resolve();
    chosen.power_averages = averages.power_averages;
    chosen.adamw = optimizer == OptimizerKind::kAdamW;
    check_mesh(
        {.ranks = context.world.size(),
         .tensor_ranks = parallel.tensor,
         .micro_batches = chosen.accumulate * std::max(1, context.world.size() / parallel.tensor),
         .model = chosen.model.name(),
         .shard_ranks = parallel.shard_ranks,
         .tensor_degrees = chosen.auxiliary.tensor_degrees(chosen.model)});
    const Mesh mesh(context.world, parallel.tensor);
    return bench_training_step(chosen, backend, mesh);
  });
}

int bench_sampling(std::span<const std::string> args, CommandContext& context) {
  StepBenchOptions bench;
  DecoderOptions decoding;
  OptionSet options("bench sampling",
                    "Times one guided sampler step (a forward pass with and without class) and, in "
                    "turn, the machine's matrix-product ceiling on its shapes; with an autoencoder "
                    "also what decoding adds to sampling.");
  declare_memory_check(options, bench.memory_check);
  bench.weights_type.declare(options);
  options
      .add("vae", &decoding.vae,
           fmt::format("autoencoder that decodes the pictures: a file, or the structure of {} "
                       "with random weights",
                       fmt::join(published_autoencoders(), ", ")))
      .default_is("none");
  options.add("vae-dtype", &decoding.network.decode,
              {{"float32", DType::kFloat32}, {"bf16", DType::kBFloat16}}, "of decoding");
  options
      .add("steps", &bench.sampler_steps, "sampler steps of a picture, to which decoding is added")
      .range(1, 1000);
  return run(args, context, options, bench, [&](StepBenchOptions& chosen, Backend& backend) {
    if (decoding.vae.empty()) return bench_sampler_step(chosen, backend, context.world);
    const LatentShape& shape = chosen.model.latents();
    const AutoencoderRun dry = dry_run_of_decoder([&](Backend& on) { return decoding.load(on); },
                                                  {shape.height, shape.width});
    require<UsageError>(dry.info.channels == shape.channels, "bench sampling",
                        "--vae {} decodes {} channels, latents of {} have {}",
                        decoding.vae.string(), dry.info.channels, chosen.model.name(),
                        shape.channels);
    chosen.decoder = dry.info.name();
    chosen.decoder_bytes = dry.bytes;
    const auto decoder = decoding.load(backend);
    return bench_sampler_step(chosen, backend, context.world, decoder.get());
  });
}

}  // namespace edt
