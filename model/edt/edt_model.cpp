#include "model/edt/edt_model.h"

#include "core/ops/repeat.h"
#include "model/blocks/grid_checks.h"
#include "model/edt/tables.h"
#include "model/positions.h"

namespace edt {

EdtModel::EdtModel(const EdtConfig& config, Device& device, DType dtype, TensorGroup ranks)
    : Model(config, ranks), config_(config), device_(device), dtype_(dtype) {
  config_.validate();
  check_tensor_degree(config_.name, config_.tensor_degrees(), ranks);
  begin_masks(device);
  const std::int64_t condition = config_.widths[0];
  add_fixed_table("pos_embed", condition, config_.grid(0));
  patch_embedding_ = PatchEmbedding::make(parameters_, condition, config_);
  embedding_ = ConditionEmbedding::make(parameters_, condition, config_);
  text_ = TextEmbedding::make(parameters_, condition, config_.text);
  for (std::int64_t stage = 0; stage < config_.stages(); ++stage) {
    if (stage > config_.down_stages()) add_way_up(stage);
    add_blocks(stage);
    if (stage < config_.down_stages()) add_way_down(stage);
  }
  final_ = FinalLayer::make(parameters_, condition, config_.patch_outputs());
  add_masks();
}

namespace {

std::string indexed(const char* group, std::size_t i) {
  return std::string(group) + "." + std::to_string(i);
}

}  // namespace

void EdtModel::add_blocks(std::int64_t stage) {
  const auto at = static_cast<std::size_t>(stage);
  TransformerBlock::Sizes sizes{
      .width = config_.widths[at],
      .condition = config_.widths[0],
      .grid = config_.grid(stage),
      .has_bias = true,
      .weights = config_.weights,
      .modulation = config_.modulation,
      .linear = config_.attention.linear(stage),
      .spatial = config_.spatial,
      .text = config_.text.form == TextForm::kCross ? config_.widths[0] : 0,
      .masks = unit_masks(),
      .mask_kinds = config_.masks,
      .gates = config_.gates};
  const auto shared = TransformerBlock::make_shared(parameters_, indexed("modulation", at), sizes);
  sizes.shared = shared ? &*shared : nullptr;
  for (std::int64_t i = 0; i < config_.depths[at]; ++i) {
    sizes.units = config_.units_of(static_cast<std::int64_t>(blocks_.size()));
    blocks_.push_back(
        TransformerBlock::make(parameters_, indexed("blocks", blocks_.size()), sizes));
  }
}

void EdtModel::add_way_down(std::int64_t stage) {
  const auto at = static_cast<std::size_t>(stage);
  const std::string prefix = indexed("down_blocks", down_.size());
  down_.push_back(DownSample::make(parameters_, prefix, config_.grid(stage), config_.widths[at],
                                   config_.widths[at + 1], config_.widths[0]));
  add_fixed_table(prefix + ".pos_embed", config_.widths[at + 1], config_.grid(stage + 1));
}

void EdtModel::add_way_up(std::int64_t stage) {
  const auto at = static_cast<std::size_t>(stage);
  up_.push_back({Linear::make(parameters_, indexed("up_blocks", up_.size()) + ".expand",
                              4 * config_.widths[at], config_.widths[at - 1], {.bias = false}),
                 config_.grid(stage - 1)});
  const std::string prefix = indexed("concat_blocks", concat_.size());
  concat_.push_back(SkipConcat::make(parameters_, prefix, config_.widths[at], config_.widths[0]));
  add_fixed_table(prefix + ".pos_embed", config_.widths[at], config_.grid(stage));
}

void EdtModel::add_fixed_table(const std::string& name, std::int64_t width, const TokenGrid& grid) {
  fixed_tables_.push_back(
      {name, {1, grid.tokens(), width}, sincos_positions(width, grid, config_.position_form())});
  tables_.push_back(constant(device_, fixed_tables_.back().values, {grid.tokens(), width}, dtype_));
}

void EdtModel::add_masks() {
  const auto tokens = [&](std::int64_t stage) { return config_.grid(stage).tokens(); };
  if (config_.mid_mask) {
    masks_.push_back({"mid", tokens(0), config_.mid_mask_range.low, config_.mid_mask_range.high});
  }
  for (std::int64_t stage = 0; stage < config_.down_stages(); ++stage) {
    const MaskRange range = stage == 0 ? config_.first_down_mask : config_.later_down_mask;
    masks_.push_back({"down" + std::to_string(stage), tokens(stage), range.low, range.high});
  }
}

void EdtModel::set_amm_blocks(const std::vector<std::int64_t>& blocks) {
  for (TransformerBlock& block : blocks_) block.amm = {};
  const DType dtype = dtype_ == DType::kFloat64 ? dtype_ : DType::kFloat32;
  for (std::int64_t block : blocks) {
    require<UsageError>(0 <= block && block < config_.blocks(), "amm",
                        "block {} is asked for, {} has {} blocks: amm-blocks takes 0 to {}", block,
                        config_.name, config_.blocks(), config_.blocks() - 1);
    const TokenGrid grid = config_.grid(config_.stage_of_block(block));
    blocks_[static_cast<std::size_t>(block)].amm =
        constant(device_, modulation_matrix(grid, config_.amm_form()),
                 {grid.tokens(), grid.tokens()}, dtype);
  }
}

Var EdtModel::run_blocks(Tape& tape, Var x, const State& state, std::int64_t first,
                         std::int64_t last) {
  const auto begin = static_cast<std::size_t>(first),
             count = static_cast<std::size_t>(last) - begin;
  const BlockStack stack{std::span<const TransformerBlock>(blocks_).subspan(begin, count), first};
  return stack(tape, std::move(x), state.condition, state.text, state.pass);
}

EdtModel::State EdtModel::begin(Tape& tape, const ModelInputs& inputs) {
  State state;
  state.pass = {recompute_, inputs.hooks, {}};
  state.x = patch_embedding_(tape, inputs, tables_[0]);
  Var time;
  const Var condition =
      silu(tape, embedding_.embed(tape, inputs, config_.gates.is_on() ? &time : nullptr));
  if (time) state.pass.time = gate_time(tape, time, inputs.hooks);
  // All adaLN projections are cut over the ranks: the gradient is summed once, for all of them.
  state.condition = copy_to_tensor_ranks(tape, condition, parameters_.tensor_ranks(),
                                         "gradient of the condition");
  state.text = text_(tape, inputs.text);
  if (config_.down_stages() > 0) state.skips.push_back(state.x);
  return state;
}

void EdtModel::run_shared(Tape& tape, State& state) {
  state.x = run_blocks(tape, std::move(state.x), state, 0, shared_blocks());
}

Var EdtModel::forward_masked(Tape& tape, const ModelInputs& inputs,
                             const std::vector<Tensor>& masks) {
  State state = begin(tape, inputs);
  const Var x = reused(tape, inputs.hooks.reuse, {}, [&] {
    run_shared(tape, state);
    return run_rest(tape, state, masks);
  });
  return final_(tape, x, state.condition);
}

// With inputs for one pass both see the same: what precedes the first mask runs once.
Var EdtModel::forward_passes(Tape& tape, const ModelInputs& inputs, const PassMasks& masks) {
  State state = begin(tape, inputs);
  run_shared(tape, state);
  const std::int64_t passes = masks.keep.at(0).shape[0] / inputs.t.shape[0];
  if (passes > 1) {
    const auto repeat = [&](Var& var) { var = repeat_batch(tape, var, passes); };
    repeat(state.x);
    repeat(state.condition);
    state.text = state.text.repeated(tape, passes);
    for (Var& skip : state.skips) repeat(skip);
  }
  return final_(tape, run_rest(tape, state, masks.keep), state.condition);
}

Var EdtModel::run_rest(Tape& tape, const State& state, const std::vector<Tensor>& masks) {
  require(masks.empty() || masks.size() == masks_.size(), "edt", "{} masks given, {} expected",
          masks.size(), masks_.size());
  const Var& condition = state.condition;
  std::vector<Var> skips = state.skips;
  Var x = state.x;
  std::size_t next_mask = 0;
  const auto mask = [&] { return masks.empty() ? Tensor{} : masks[next_mask++]; };

  if (config_.mid_mask && !masks.empty()) x = mask_tokens(tape, x, mask(), tables_[0]);
  std::int64_t block = shared_blocks();
  std::int64_t end = 0;
  for (std::int64_t stage = 0; stage < config_.stages(); ++stage) {
    const bool goes_down = stage < config_.down_stages();
    if (goes_down && stage > 0) skips.push_back(x);
    if (stage > config_.down_stages()) {
      const auto i = static_cast<std::size_t>(stage - config_.down_stages() - 1);
      x = concat_[i](tape, up_[i](tape, x), skips.back(), condition,
                     tables_[static_cast<std::size_t>(stage)]);
      skips.pop_back();
    }
    end += config_.depths[static_cast<std::size_t>(stage)];
    x = run_blocks(tape, std::move(x), state, block, end);
    block = end;
    if (goes_down) {
      const auto i = static_cast<std::size_t>(stage);
      x = down_[i](tape, x, condition, mask(), tables_[i + 1]);
    }
  }
  return x;
}

}  // namespace edt
