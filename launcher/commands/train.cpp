// edt train: trains a model from latents, or goes on where an earlier run stopped.
#include <optional>

#include "core/base/log.h"
#include "core/storage/missing_path.h"
#include "launcher/commands/finished_run.h"
#include "launcher/commands/run_source.h"
#include "launcher/commands/table.h"
#include "launcher/recipe/model_data.h"
#include "launcher/run/run_directory.h"
#include "launcher/train/micro_batch.h"
#include "launcher/train/trainer.h"

namespace edt {
namespace {

// What a stored configuration names may have moved since.
void require_data(const OptionSet& options, const std::filesystem::path& data) {
  std::error_code error;
  const bool is_lost = !std::filesystem::exists(data, error) && !error;
  require<DataError>(!is_lost || options.origin("data.path") == "command line", "data",
                     "{} ({}): there is no such data set{}; --data PATH says where it lies now",
                     data.string(), options.origin("data.path"), missing_path_hint(data));
}

// Whose files have other names than edt's is no less a data set.
void require_apart(const std::filesystem::path& run, const std::filesystem::path& data) {
  std::error_code ignored;
  const bool has_run = std::filesystem::exists(run / "checkpoints", ignored);
  require<UsageError>(has_run || !std::filesystem::equivalent(run, data, ignored), "train",
                      "--run.dir {} is the data set itself: a run needs a directory of its own",
                      run.string());
}

}  // namespace

int train(std::span<const std::string> args, CommandContext& context) {
  TrainConfig config;
  OptionSet options("train",
                    "Trains a model from latents in HDF5 shards. Started again on the same run "
                    "directory, it goes on from the newest intact checkpoint.");
  config.declare(options);
  options.begin_with("run.dir", [&](const std::filesystem::path& run, const auto& is_given) {
    return configuration_of_run(run, is_given("data.path"), options, context.world.is_root());
  });
  if (!read_options(options, args, context)) return kDone;
  context.resumable = true;
  config.validate();
  config.distill.choose_checkpoint();
  refuse_moved_configuration(options, config.run.directory);
  require_data(options, config.data.path);
  require_apart(config.run.directory, config.data.path);
  if (const auto step = step_of_finished_run(config, options.to_ini(), context.world)) {
    log::info("{} has reached step {}, train.steps is {}: nothing to do",
              config.run.directory.string(), *step, config.train.steps);
    // A start as any other to a batch script, which else could not tell it from none.
    const RunDirectory directory(config.run.directory, context.world);
    if (context.world.is_root()) directory.write_outcome(kDone, *step, "done");
    return kDone;
  }
  const data::Description data =
      data::Dataset(config.data.path, {.verify_blocks = false}).description();
  take_data(data, options, config);
  const std::string chosen = choose_micro_batch(config, options.to_ini(), context.world);
  context.output_is_result = false;
  Trainer trainer(config, options.to_ini(), context.world);
  if (!context.quiet) {
    context.print("# What differs from the defaults; {} has everything.\n{}\n",
                  (config.run.directory / "config.ini").string(), options.changes());
  }
  context.out.flush();  // before the first line of the log
  if (!context.out) {
    log::warning("standard output cannot be written: the configuration stands in {}",
                 (config.run.directory / "config.ini").string());
  }
  if (!chosen.empty()) log::info("{}", chosen);
  if (const std::string line = config.optimizer.remark_on_average(config.train.steps);
      !line.empty() && context.world.is_root()) {
    log::warning("{}", line);
  }
  context.run_started = true;
  std::optional<StopSignals> own;
  if (!context.signals) own.emplace();
  return trainer.run(context.quiet, context.signals ? *context.signals : *own);
}

}  // namespace edt
