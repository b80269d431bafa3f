#include "launcher/commands/run_room.h"

#include "core/storage/durable_file.h"
#include "data/dataset.h"
#include "launcher/train/config.h"
#include "launcher/train/engine_config.h"
#include "launcher/train/retention_options.h"
#include "model/plan/dry_run.h"
#include "parallel/checkpoint/store.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

std::optional<TrainConfig> configuration_of(const fs::path& run) {
  for (const char* name : {"config.ini", "train.ini"}) {
    const fs::path file = run / name;
    if (!fs::is_regular_file(file)) continue;
    TrainConfig config;
    OptionSet options("train", "");
    config.declare(options);
    options.read_known_sections(parse_ini(read_text(file), file.string()));
    config.validate();
    return config;
  }
  return std::nullopt;
}

// The number of classes is a row of a table each: the data's, or as many as are usual.
std::int64_t classes_of(const fs::path& data) {
  try {
    return data::Dataset(data, {.verify_blocks = false}).description().classes;
  } catch (const Error&) {
    return 1000;
  }
}

std::uint64_t checkpoint_bytes(const TrainConfig& config) {
  PlannedStep step{config.model.resolve(classes_of(config.data.path)), engine_config(config)};
  step.engine.batch = step.engine.micro_batch = 1;
  const auto arrays = 2 + make_optimizer(step.engine.optimizer)->state_count();  // and master, ema
  return static_cast<std::uint64_t>(dry_run_of_memory(step).parameters) * sizeof(float) *
         static_cast<std::uint64_t>(arrays);
}

}  // namespace

std::optional<CheckpointRoom> room_of_run(const fs::path& run) {
  const auto config = configuration_of(run);
  if (!config) return std::nullopt;
  const CheckpointStore store(run / "checkpoints");
  CheckpointRoom room{
      .directory = run, .each = checkpoint_bytes(*config), .retention = retention_of(config->run)};
  if (fs::is_directory(store.directory())) room.directory = store.directory();
  room.free = free_bytes(room.directory);
  room.present = store.ranked(room.retention);
  const std::int64_t step = room.present.empty() ? 0 : room.present.front().step;
  room.saves = coming_saves(step, config->run.checkpoint_every, config->train.steps,
                            saves_until_full(room.retention));
  return room;
}

}  // namespace edt
