#include "model/dit/dit_model.h"

#include "core/ops/backend.h"
#include "model/blocks/grid_checks.h"
#include "model/blocks/stack.h"
#include "model/positions.h"

namespace edt {

DitModel::DitModel(const DitConfig& config, Device& device, DType dtype, TensorGroup ranks)
    : Model(config, ranks), config_(config) {
  config_.validate();
  check_tensor_degree(config_.name, config_.tensor_degrees(), ranks);
  const std::int64_t width = config_.width;
  begin_masks(device);
  add_positions(device, dtype);
  patch_embedding_ = PatchEmbedding::make(parameters_, width, config_);
  embedding_ = ConditionEmbedding::make(parameters_, width, config_);
  text_ = TextEmbedding::make(parameters_, width, config_.text);
  TransformerBlock::Sizes sizes{.width = width,
                                .condition = width,
                                .grid = config_.patches(),
                                .style = config_.style,
                                .weights = config_.weights,
                                .modulation = config_.modulation,
                                .linear = config_.attention.linear(0),
                                .spatial = config_.spatial,
                                .rotation = rotation_,
                                .text = config_.text.form == TextForm::kCross ? width : 0,
                                .masks = unit_masks(),
                                .mask_kinds = config_.masks,
                                .gates = config_.gates};
  const auto shared = TransformerBlock::make_shared(parameters_, "modulation", sizes);
  sizes.shared = shared ? &*shared : nullptr;
  for (std::int64_t b = 0; b < config_.depth; ++b) {
    sizes.units = config_.units_of(b);
    blocks_.push_back(TransformerBlock::make(parameters_, "blocks." + std::to_string(b), sizes));
  }
  final_ = FinalLayer::make(parameters_, width, config_.patch_outputs(), config_.style.norm,
                            config_.modulation);
}

void DitModel::add_positions(Device& device, DType dtype) {
  const TokenGrid grid = config_.patches();
  const std::int64_t tokens = grid.tokens(), size = config_.width / config_.heads;
  if (config_.style.adds_positions()) {
    fixed_tables_.push_back({"pos_embed",
                             {1, tokens, config_.width},
                             sincos_positions(config_.width, grid, config_.position_form())});
    positions_ = constant(device, fixed_tables_.back().values, {tokens, config_.width}, dtype);
  }
  if (!config_.style.rotates()) return;
  const std::vector<float> turns = rotary_positions(size, grid, config_.position_form());
  rotation_ =
      constant(device, turns, {tokens, size}, dtype == DType::kFloat64 ? dtype : DType::kFloat32);
  // Published files have each angle's cosine and sine at both elements of its pair.
  for (const std::size_t part : {0, 1}) {
    FixedTable table{part == 0 ? "feat_rope.freqs_cos" : "feat_rope.freqs_sin", {tokens, size}, {}};
    for (std::size_t i = 0; i < turns.size(); ++i) {
      table.values.push_back(turns[i / 2 * 2 + part]);
    }
    fixed_tables_.push_back(std::move(table));
  }
}

DitModel::Condition DitModel::condition_of(Tape& tape, const ModelInputs& inputs) {
  Var time;
  const Var embedded = embedding_.embed(tape, inputs, config_.gates.is_on() ? &time : nullptr);
  return {copy_to_tensor_ranks(tape, silu(tape, embedded), parameters_.tensor_ranks(),
                               "gradient of the condition"),
          config_.modulation == ModulationForm::kSingle ? embedded : Var{},
          time ? gate_time(tape, time, inputs.hooks) : Var{}};
}

// The rows of the table of places that the group's tokens have, as labels have those of theirs.
Var DitModel::rotation_of(Tape& tape, const VisibleTokens& group) const {
  if (!rotation_.defined()) return {};
  const std::int64_t rows = group.ids.elements(), size = rotation_.shape[1];
  Var turns = tape.make({group.ids.shape[0], group.ids.shape[1], size}, rotation_.dtype);
  Profiler::Scope scope(tape.profiler(), "rotation.of_group");
  backend_of(tape).label_forward(group.ids.reshaped({rows}), rotation_,
                                 turns.tensor().reshaped({rows, size}));
  return turns;
}

// Attention within a group is attention of its tokens alone: each group is a shorter sequence.
std::vector<Var> DitModel::forward_groups(Tape& tape, const ModelInputs& inputs,
                                          std::span<const VisibleTokens> groups) {
  const auto [condition, embedded, time] = condition_of(tape, inputs);
  std::vector<Stream> streams = split_groups(tape, patch_embedding_(tape, inputs, positions_),
                                             text_(tape, inputs.text), groups);
  for (Stream& stream : streams) stream.rotation = rotation_of(tape, stream.visible);
  BlockStack{blocks_}(tape, streams, condition, {recompute_, inputs.hooks, {}});
  return finish_groups(tape, streams, condition, final_, embedded);
}

Var DitModel::forward(Tape& tape, const ModelInputs& inputs) {
  Var x = patch_embedding_(tape, inputs, positions_);
  const auto [condition, embedded, time] = condition_of(tape, inputs);
  const TextTokens text = text_(tape, inputs.text);
  const BlockStack stack{blocks_};
  const BlockPass pass{recompute_, inputs.hooks, time};
  x = reused(tape, inputs.hooks.reuse, {},
             [&, &given = condition] { return stack(tape, std::move(x), given, text, pass); });
  return final_(tape, x, condition, embedded);
}

}  // namespace edt
