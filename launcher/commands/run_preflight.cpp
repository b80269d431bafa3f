#include "launcher/commands/run_preflight.h"

#include "core/optim/grad_norm.h"
#include "core/reference/reference_backend.h"
#include "core/storage/durable_file.h"
#include "data/dataset.h"
#include "launcher/recipe/engine_config.h"
#include "launcher/recipe/retention_options.h"
#include "launcher/recipe/train_config.h"
#include "model/diffusion/time_sampler.h"
#include "model/weights.h"
#include "parallel/checkpoint/store.h"
#include "parallel/checkpoint/writer.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

struct SavedBytes {
  std::uint64_t checkpoint = 0, snapshot = 0;  // 0: the run keeps no averages
};

// What the writers of a run on one rank reckon with. Each class is a row of a table.
SavedBytes saved_bytes(TrainConfig config) {
  config.distill = {};  // a teacher is not saved
  const TrainingRecipe recipe =
      training_recipe(config, config.model.resolve(classes_of(config.data.path)));
  const EngineConfig& engine = recipe.engine;
  const auto backend = make_reference_backend();
  const std::unique_ptr<Model> model = make_networks(recipe, *backend).model;
  const FlatLayout layout = FlatLayout::of(parameter_pointers(model->parameters()),
                                           static_cast<std::int64_t>(kNormBlock));
  CheckpointState state = state_of(layout, layout.whole(), {});
  state.arrays.resize(2 + engine.power_averages.size() +  // master and ema
                      static_cast<std::size_t>(make_optimizer(engine.optimizer)->state_count()));
  const auto sampler = make_time_sampler(engine.times, model->process().steps());
  const auto history = sampler->state();
  SavedBytes bytes{
      bytes_on_disk(state) +
      bytes_on_disk({{"history", std::vector<double>(history.begin(), history.end())}})};
  if (engine.power_averages.empty()) return bytes;
  state.arrays.assign(engine.power_averages.size(), {.half = config.run.half_snapshots});
  bytes.snapshot = bytes_on_disk(state);
  return bytes;
}

}  // namespace

std::optional<ConfigurationText> configuration_text_of(const fs::path& run) {
  for (const char* name : {"config.ini", "train.ini"}) {
    const fs::path file = run / name;
    if (fs::is_regular_file(file)) return ConfigurationText{file.string(), read_text(file)};
  }
  return std::nullopt;
}

TrainConfig read_configuration(const ConfigurationText& text) {
  TrainConfig config;
  OptionSet options("train", "");
  config.declare(options);
  options.read_known_sections(parse_ini(text.text, text.file));
  config.validate();
  return config;
}

std::int64_t classes_of(const fs::path& data) {
  try {
    return data::Dataset(data, {.verify_blocks = false}).description().classes;
  } catch (const Error&) {
    return 1000;
  }
}

std::optional<DiskPreflight> preflight_of_run(const fs::path& run) {
  const auto text = configuration_text_of(run);
  if (!text) return std::nullopt;
  const TrainConfig config = read_configuration(*text);
  const CheckpointStore store(run / "checkpoints");
  const SavedBytes bytes = saved_bytes(config);
  DiskPreflight preflight{
      .directory = run, .each = bytes.checkpoint, .retention = retention_of(config.run)};
  if (fs::is_directory(store.directory())) preflight.directory = store.directory();
  preflight.free = free_bytes(preflight.directory);
  preflight.present = store.ranked(preflight.retention);
  const std::int64_t step = preflight.present.empty() ? 0 : preflight.present.front().step;
  preflight.saves = coming_saves(step, config.run.checkpoint_every, config.train.steps,
                                 saves_until_full(preflight.retention));
  preflight.snapshots = {
      .each = bytes.snapshot, .every = config.run.snapshot_steps(), .after = step};
  return preflight;
}

}  // namespace edt
