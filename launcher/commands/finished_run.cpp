#include "launcher/commands/finished_run.h"

#include <algorithm>

#include "core/base/error.h"
#include "launcher/train/run_changes.h"
#include "launcher/watch/run_state.h"
#include "parallel/checkpoint/checkpoint.h"

namespace edt {
namespace {

// Whether it is worth to read a checkpoint. A run that was killed behind its last checkpoint has no
// outcome yet: a start that asks for that very step gives it one.
bool may_be_finished(const TrainConfig& config, const CheckpointStore& store) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(store.directory(), ignored)) return false;
  const bool is_over = state_of_run(config.run.directory).phase == RunPhase::kFinished;
  return std::ranges::any_of(store.entries(), [&](const CheckpointStore::Entry& entry) {
    return entry.complete && entry.step >= config.train.steps + (is_over ? 0 : 1);
  });
}

// "Nothing to do" would be no answer to whoever asks for another model.
std::string what_differs(const Checkpoint& checkpoint, const std::string& configuration) {
  auto changes = changes_between({checkpoint.info().configuration}, {configuration},
                                 checkpoint.path().string());
  std::erase_if(changes, [](const OptionChange& one) { return !one.changes_curve; });
  return text_of(changes);
}

}  // namespace

std::optional<std::int64_t> step_of_finished_run(const TrainConfig& config,
                                                 const std::string& configuration,
                                                 Communicator& world) {
  const CheckpointStore store(config.run.directory / "checkpoints");
  const bool may_be = world.is_root() && config.run.resume && may_be_finished(config, store);
  if (!world.any(may_be, "finished run")) return {};
  const CheckpointChoice choice = newest_intact(store, world);
  if (!choice.checkpoint) return {};
  const CheckpointInfo& info = choice.checkpoint->info();
  // Of another seed it is another run: that is refused where it would go on.
  if (info.step < config.train.steps || info.seed != config.train.seed) return {};
  if (config.run.accept_changes || info.configuration.empty()) return info.step;
  const std::string others = what_differs(*choice.checkpoint, configuration);
  require<UsageError>(others.empty(), "run",
                      "{} has reached step {} with other options: {}; another --run.dir begins "
                      "another run",
                      config.run.directory.string(), info.step, others);
  return info.step;
}

}  // namespace edt
