#include "launcher/recipe/trained_weights.h"

#include "core/base/error.h"

namespace edt {
namespace {

std::int64_t classes_in(const Checkpoint& checkpoint) {
  for (const LogicalTensor& tensor : checkpoint.manifest().tensors) {
    if (tensor.name == "y_embedder.embedding_table.weight") return tensor.shape[0] - 1;
  }
  return 0;  // of a network that reads no labels
}

std::int64_t classes_in(const PackedWeights& packed) { return packed.classes(); }

void load_from(const Checkpoint& checkpoint, std::string_view array, const FlatLayout& layout,
               std::span<float> weights) {
  checkpoint.load(state_of(layout, layout.whole(), {{std::string(array), weights}}),
                  PartsRule::kNetwork);
}

void load_from(const PackedWeights& packed, std::string_view array, const FlatLayout& layout,
               std::span<float> weights) {
  const auto named = [](std::string_view one) {
    return one == kEmaArray ? "ema" : "raw";  // as the option says it
  };
  require<UsageError>(packed.array() == array, "weights", "--weights is {}, {} holds {}",
                      named(array), packed.path().string(), named(packed.array()));
  packed.load(layout, weights);
}

}  // namespace

TrainedWeights TrainedWeights::find(const std::filesystem::path& path) {
  if (PackedWeights::is_file(path)) return TrainedWeights(PackedWeights(path));
  return find_checkpoint(path);
}

const std::filesystem::path& TrainedWeights::path() const {
  return std::visit([](const auto& one) -> const std::filesystem::path& { return one.path(); },
                    source_);
}

const CheckpointInfo& TrainedWeights::info() const {
  return std::visit([](const auto& one) -> const CheckpointInfo& { return one.info(); }, source_);
}

std::int64_t TrainedWeights::classes() const {
  return std::visit([](const auto& one) { return classes_in(one); }, source_);
}

void TrainedWeights::load(std::string_view array, const FlatLayout& layout,
                          std::span<float> weights) const {
  std::visit([&](const auto& one) { load_from(one, array, layout, weights); }, source_);
}

}  // namespace edt
