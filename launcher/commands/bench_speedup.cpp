// edt bench speedup: EDT against MDTv2 and DiT on equal kernels.
#include <nlohmann/json.hpp>

#include "core/base/log.h"
#include "core/json/json_text.h"
#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "data/dataset.h"
#include "launcher/bench/speedup_report.h"
#include "launcher/commands/step_options.h"
#include "launcher/commands/table.h"
#include "launcher/device/device_options.h"
#include "launcher/machine/machine.h"
#include "launcher/memory/memory_check.h"
#include "launcher/recipe/model_data.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

struct SpeedupCommand {
  SpeedupOptions bench;
  DeviceOptions device;
  std::vector<std::string> sizes{"S", "B", "XL"};
  std::int64_t image_size = 256;
  std::filesystem::path csv, html;
  bool json = false;

  void declare(OptionSet& options);
};

void SpeedupCommand::declare(OptionSet& options) {
  options.add("sizes", &sizes, "which").choices({"S", "B", "XL"});
  device.declare(options, "");
  options.add("micro-batch", &bench.micro_batch, "images of one micro-batch")
      .alias("train.micro-batch")
      .unit("images")
      .range(1, 65536);
  options.add("accumulate", &bench.accumulate, "micro-batches of a training step")
      .range(1, 1 << 20);
  options
      .add("optimizer", &bench.optimizer,
           {{"recipe", ContestOptimizer::kRecipe},
            {"adan", ContestOptimizer::kAdan},
            {"adamw", ContestOptimizer::kAdamW}},
           "update rule: of each model's recipe, or one for all")
      .alias("optimizer.kind");
  options.add("image-size", &image_size, "side of the pictures; latents are 1/8 of it")
      .alias("model.image-size")
      .unit("pixels")
      .range(64, 8192);
  declare_dtype(options, bench.dtype);
  options.add("rounds", &bench.rounds, "turns of each model, in turn with the others")
      .range(1, 10000);
  options.add("steps", &bench.steps, "steps timed in each turn").range(1, 10000);
  declare_recompute(options, bench.recompute);
  options.add("clock", &bench.clock,
              {{"wall", BenchClock::kWall}, {"processor", BenchClock::kProcessor}},
              "wall-clock time, or processor time over threads, for a CPU that others use too");
  declare_graphs(options, bench.graphs);
  options.add("train", &bench.training, "training steps");
  options.add("infer", &bench.inference, "guided sampler steps");
  options
      .add("from-shards", &bench.shards,
           "data set of which latents are read while training; default: latents in memory")
      .alias("data")
      .alias("data.path");
  options.add("csv", &csv, "also write a CSV file");
  options.add("html", &html, "also write a page with charts");
  options.add("json", &json, "for scripts");
}

// Sizes that need more memory than there is are left out, in words.
bool fits(const std::string& size, const std::vector<Variant>& variants,
          const AvailableMemory& available, SpeedupReport& report) {
  for (const Variant& variant : variants) {
    const double needed = turn_bytes(variant, report.options) + available.process_bytes;
    if (needed <= available.bytes) continue;
    report.skipped.push_back(fmt::format("{} was not measured: {} takes {}, and {} has {} free.",
                                         size, variant.model.name(), human_bytes(needed),
                                         available.where, human_bytes(available.bytes)));
    return false;
  }
  return true;
}

}  // namespace

int bench_speedup(std::span<const std::string> args, CommandContext& context) {
  SpeedupCommand options;
  OptionSet set("bench speedup",
                "Times training steps and guided sampler steps of EDT, MDTv2 and DiT on the same "
                "kernels, in turn, and compares the ratios with FLOPs and with the paper.");
  options.declare(set);
  if (!read_options(set, args, context)) return kDone;
  require<UsageError>(!options.sizes.empty(), "bench speedup", "--sizes is empty");
  require<UsageError>(options.bench.training || options.bench.inference, "bench speedup",
                      "--train and --infer are both off");
  constexpr std::int64_t kStep = 64;  // of all of them: VAE 8 x patch 2 x 4 of 2 down-samplings
  require<UsageError>(options.image_size % kStep == 0, "bench speedup",
                      "--image-size is {}, EDT takes multiples of {}: {} or {}", options.image_size,
                      kStep, options.image_size / kStep * kStep,
                      options.image_size / kStep * kStep + kStep);
  require<UsageError>(
      options.bench.clock == BenchClock::kWall || options.device.kind != DeviceKind::kCuda,
      "bench speedup", "--clock is processor, but the work is done by the GPU");
  require_writable(options.csv, "--csv", ".csv .tsv");
  require_writable(options.html, "--html", ".html .htm");
  if (!options.bench.shards.empty()) {
    const auto variants = published_variants(options.sizes.front(), options.image_size);
    require_fits(data::Dataset(options.bench.shards), variants.front().model, "--image-size");
  }
  const auto backend = options.device.make_backend(context.world);
  SpeedupReport report{.options = options.bench,
                       .machine = machine_text(probe_machine()),
                       .commands = "edt bench speedup",
                       .sizes = {},
                       .skipped = {}};
  for (const std::string& arg : args) report.commands += " " + arg;

  context.run_started = true;
  for (const std::string& size : options.sizes) {
    const auto variants = published_variants(size, options.image_size);
    const AvailableMemory available = available_memory(backend->memory(), context.world.host());
    if (!fits(size, variants, available, report)) continue;
    report.sizes.push_back(run_speedup(size, variants, options.bench, *backend,
                                       [](const std::string& line) { log::info("{}", line); }));
  }
  if (!options.csv.empty()) write_text_atomically(options.csv, to_csv(report));
  if (!options.html.empty()) to_page(report).write(options.html);
  if (options.json) {
    context.print("{}\n", dump_json(to_json(report), 2));
  } else {
    context.print("{}", to_text(report));
  }
  return kDone;
}

}  // namespace edt
