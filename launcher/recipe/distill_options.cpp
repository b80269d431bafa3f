#include "launcher/recipe/distill_options.h"

#include <algorithm>

#include "core/base/log.h"
#include "launcher/recipe/pruned_weights.h"
#include "launcher/recipe/trained_model.h"
#include "parallel/checkpoint/store.h"

namespace edt {
namespace {

// Nothing but its manifest is read; the weights are checked where they are read.
Checkpoint newest_marked(const std::filesystem::path& path) {
  if (std::filesystem::exists(path / kManifestName)) return Checkpoint::open(path);
  const CheckpointStore store = store_at(path);
  for (const CheckpointStore::Entry& entry : store.entries()) {
    if (entry.complete) return Checkpoint::open(entry.path);
  }
  fail<CheckpointError>("distill", "distill.from is {}: {} holds no checkpoint", path.string(),
                        store.directory().string());
}

// A list that names a block once.
std::string broken_blocks(const std::vector<std::int64_t>& blocks) {
  for (const std::int64_t block : blocks) {
    if (std::ranges::count(blocks, block) > 1) {
      return fmt::format("a list in which {} stands once", block);
    }
  }
  return "";
}

}  // namespace

void DistillOptions::declare(OptionSet& options) {
  options.section("distill", "Distillation from a finished run");
  options
      .add("distill.from", &from,
           "the teacher: a run, or a checkpoint, whose moving average is asked what it gives")
      .absolute()
      .default_is("no teacher");
  options
      .add("distill.output", &output,
           "weight of the mean square between what both networks give; 0: none")
      .at_least(0)
      .single_precision();
  options
      .add("distill.attention", &attention,
           "weight of the mean square between the maps of where their tokens are large; 0: none")
      .at_least(0)
      .single_precision();
  options.add("distill.after", &after, "blocks whose maps are compared, counted from 1")
      .at_least(1)
      .check([this] { return broken_blocks(after); })
      .default_is("the last of each stage, or of each quarter of equal blocks");
  options.add("distill.teacher-after", &teacher_after, "those of the teacher, as many")
      .at_least(1)
      .default_is("likewise");
  options.add("distill.until", &course.until, "step from which on both weights are 0; 0: never")
      .at_least(0);
  options
      .add("distill.decay", &course.decay,
           "steps in which both weights become a tenth; 0: they stay")
      .at_least(0);
  options.add("distill.decay-from", &course.decay_from, "step from which on they become smaller")
      .at_least(0);
}

void DistillOptions::validate() const {
  const DistillOptions none;
  const bool says_more = output != none.output || attention != 0 || !after.empty() ||
                         !teacher_after.empty() || course.until != 0 || course.decay != 0 ||
                         course.decay_from != 0;
  require<UsageError>(!from.empty() || !says_more, "options",
                      "[distill] says how to learn of a teacher, and distill.from names none");
  const bool names_maps = !after.empty() || !teacher_after.empty();
  require<UsageError>(
      attention > 0 || !names_maps, "options",
      "distill.{} names blocks, and distill.attention, the weight of their maps, is "
      "{}",
      after.empty() ? "teacher-after" : "after", attention);
}

void DistillOptions::choose_checkpoint() {
  if (!from.empty() && std::filesystem::exists(from)) from = newest_marked(from).path();
}

std::optional<DistillationConfig> DistillOptions::resolve() const {
  if (from.empty()) return std::nullopt;
  const Checkpoint checkpoint = newest_marked(from);
  refuse_masks(checkpoint, "distill.from");
  const ModelConfig teacher = model_config_of(checkpoint, configuration_of(checkpoint));
  const auto read = [path = checkpoint.path()](const Model& model, const FlatLayout& layout,
                                               std::span<float> values) {
    Checkpoint::open(path).load(state_of(layout, model.parameters().shards(), layout.whole(),
                                         {{std::string(kEmaArray), values}}),
                                PartsRule::kNetwork);
    log::info("the teacher is the moving average of {}", path.string());
  };
  return DistillationConfig{.run = from.string(),
                            .teacher = std::make_shared<const ModelConfig>(teacher),
                            .output = output,
                            .attention = attention,
                            .after = after,
                            .teacher_after = teacher_after,
                            .course = course,
                            .read = read};
}

void DistillOptions::require_same_latents(const LatentSpace& mine, const std::string& path) const {
  if (from.empty()) return;
  const auto its = LatentSpace::of(newest_marked(from).info());
  if (its) its->require_same(mine, path);
}

}  // namespace edt
