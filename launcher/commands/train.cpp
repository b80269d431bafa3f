// edt train: trains a model from latents, or goes on where an earlier run stopped.
#include <optional>

#include "core/base/log.h"
#include "launcher/commands/finished_run.h"
#include "launcher/commands/table.h"
#include "launcher/run/run_directory.h"
#include "launcher/train/micro_batch.h"
#include "launcher/train/trainer.h"

namespace edt {

int train(std::span<const std::string> args, CommandContext& context) {
  TrainConfig config;
  OptionSet options("train",
                    "Trains a model from latents in HDF5 shards. Started again on the same run "
                    "directory, it goes on from the newest intact checkpoint.");
  config.declare(options);
  if (!read_options(options, args, context)) return kDone;
  config.validate();
  if (const auto step = step_of_finished_run(config, context.world)) {
    log::info("{} has reached step {}, train.steps is {}: nothing to do",
              config.run.directory.string(), *step, config.train.steps);
    // A start as any other to a batch script, which else could not tell it from none.
    const RunDirectory directory(config.run.directory, context.world);
    if (context.world.is_root()) directory.write_outcome(kDone, *step, "done");
    return kDone;
  }
  const std::string chosen = choose_micro_batch(config, options.to_ini(), context.world);
  Trainer trainer(config, options.to_ini(), context.world);
  if (!context.quiet) {
    context.print("# What differs from the defaults; {} has everything.\n{}\n",
                  (config.run.directory / "config.ini").string(), options.changes());
  }
  context.out.flush();  // before the first line of the log
  if (!chosen.empty()) log::info("{}", chosen);
  context.run_started = true;
  std::optional<StopSignals> own;
  if (!context.signals) own.emplace();
  try {
    return trainer.run(context.quiet, context.signals ? *context.signals : *own);
  } catch (const SystemError& error) {
    // A full disk, say: nothing is wrong with the run, started again it goes on.
    log::flush();
    context.error << fmt::format("edt: error: {}: {}", context.world.name(), error.what())
                  << std::endl;
    if (context.world.size() > 1) context.world.abort(kBrokenOff);
    return kBrokenOff;
  }
}

}  // namespace edt
