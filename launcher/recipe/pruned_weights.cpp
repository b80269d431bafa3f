#include "launcher/recipe/pruned_weights.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/reference/reference_backend.h"
#include "parallel/checkpoint/writer.h"

namespace edt {
namespace {

constexpr const char* kState = "companion.sparsity";

bool has_masks(const Checkpoint& checkpoint) {
  return std::ranges::any_of(checkpoint.manifest().tensors,
                             [](const LogicalTensor& one) { return one.part.name == "prune"; });
}

}  // namespace

std::optional<StoredMasks> masks_in(const Checkpoint& checkpoint, const TrainConfig& config,
                                    const ModelConfig& model) {
  if (!has_masks(checkpoint)) return {};
  const auto sparsity = config.prune.resolve(model, config.optimizer);
  const auto extra = checkpoint.extra(kState);
  const auto* state = extra ? std::get_if<std::vector<float>>(&extra->values) : nullptr;
  require<CheckpointError>(sparsity && state != nullptr, "prune",
                           "{} has masks, and {} of what was decided about them",
                           checkpoint.path().string(), sparsity ? "no state" : "no prune.target");
  std::vector<UnitLayer> layers = unit_layers(model, sparsity->masks());
  UnitDecisions decisions(layers, sparsity->macs, sparsity->rules);
  const std::size_t numbers = decisions.state().size();
  require<CheckpointError>(state->size() == numbers, "prune",
                           "{}: {} has {} numbers, {} are needed", checkpoint.path().string(),
                           kState, state->size(), numbers);
  decisions.restore(*state);
  return StoredMasks{{model, layers, decisions.factors(), decisions.stays()},
                     decisions.share(),
                     sparsity->rules.target,
                     decisions.done()};
}

void refuse_masks(const Checkpoint& checkpoint, std::string_view option) {
  require<UsageError>(!has_masks(checkpoint), "prune",
                      "{} is {}, which is being pruned: its weights are nothing without its masks, "
                      "edt prune cuts it",
                      option, checkpoint.path().string());
}

// Tensor by tensor: of the whole model no more than one is in memory.
std::filesystem::path write_cut(const Checkpoint& from, const UnitCut& cut,
                                const std::string& configuration, const CheckpointStore& store) {
  const auto backend = make_reference_backend();
  const auto model = make_model(cut.model(), *backend, DType::kFloat32);
  const ParameterList& parameters = model->parameters();
  CheckpointState state;
  std::int64_t elements = 0;
  for (std::size_t i = 0; i < parameters.all().size(); ++i) {
    const Parameter& parameter = parameters.all()[i];
    const PartKind& part = parameters.part(i);
    state.tensors.push_back({parameter.name,
                             parameter.shape,
                             {std::string(part.name), part.use == PartUse::kTraining}});
    state.fragments.push_back({i, Region::of_whole(parameter.shape), elements});
    elements += parameter.shape.elements();
  }
  std::vector<float> weights(static_cast<std::size_t>(elements));
  const std::vector<LogicalTensor>& stored = from.manifest().tensors;
  for (const StateFragment& fragment : state.fragments) {
    const LogicalTensor& to = state.tensors[fragment.tensor];
    const auto found = std::ranges::find(stored, to.name, &LogicalTensor::name);
    require<CheckpointError>(found != stored.end(), "prune", "{} lacks {}", from.path().string(),
                             to.name);
    std::vector<float> values =
        from.read_tensor(kEmaArray, static_cast<std::size_t>(found - stored.begin()));
    cut.fold(to.name, found->shape, values);
    const std::vector<float> left = cut.cut(to.name, found->shape, values);
    require<CheckpointError>(static_cast<std::int64_t>(left.size()) == to.shape.elements(), "prune",
                             "{}: {} is {}, of which {} values are left, {} has {}",
                             from.path().string(), to.name, to_string(found->shape), left.size(),
                             model->name(), to_string(to.shape));
    std::ranges::copy(left, weights.begin() + fragment.offset);
  }
  state.arrays = {{std::string(kMasterArray), weights}, {std::string(kEmaArray), weights}};
  CheckpointInfo info = from.info();
  info.step = info.samples_seen = 0;
  info.optimizer.clear();
  info.configuration = configuration;
  info.mesh = "data 1 x tensor 1, zero 0";
  info.smoothed_loss.reset();
  info.judged.clear();
  auto extra = try_parse_json(info.extra);  // what its latents are stays
  if (!extra.is_object()) extra = nlohmann::json::object();
  extra.erase("loss"), extra.erase("data");
  extra["pruned"] = {{"from", from.path().string()}};
  info.extra = dump_json(extra);
  write_checkpoint(store, state, info, {});
  return store.path_of(0);
}

}  // namespace edt
