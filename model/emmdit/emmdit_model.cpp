#include "model/emmdit/emmdit_model.h"

#include <cmath>

#include "core/ops/backend.h"
#include "core/ops/checks.h"
#include "model/blocks/grid_checks.h"
#include "model/positions.h"

namespace edt {
namespace {

PatchEmbedding make_patch_embedding(ParameterList& list, const EmmditConfig& config) {
  const std::int64_t channels = config.latents.channels, patch = config.patch;
  const double bound = 1 / std::sqrt(static_cast<double>(channels * patch * patch));
  PatchEmbedding made;
  made.projection.weight = &list.add_drawn(
      "pos_embed.proj.weight", {config.width, channels, patch, patch}, Init::kUniform, bound);
  made.projection.bias =
      &list.add_drawn("pos_embed.proj.bias", {config.width}, Init::kUniform, bound);
  return made;
}

// The middle `side` rows and columns of a table of `all` each.
std::vector<float> middle_of(const std::vector<float>& table, std::int64_t all, std::int64_t side,
                             std::int64_t width) {
  const std::int64_t first = (all - side) / 2;
  std::vector<float> middle;
  for (std::int64_t row = first; row < first + side; ++row) {
    const auto from = table.begin() + (row * all + first) * width;
    middle.insert(middle.end(), from, from + side * width);
  }
  return middle;
}

}  // namespace

TimeModulation TimeModulation::make(ParameterList& list, std::int64_t width) {
  const std::string prefix = "adaln_single.";
  const LinearOptions options{.init = Init::kUniform};
  TimeModulation made;
  made.first = Linear::make(list, prefix + "emb.timestep_embedder.linear_1", width,
                            kTimestepFeatures, options);
  made.second =
      Linear::make(list, prefix + "emb.timestep_embedder.linear_2", width, width, options);
  made.all.linear = Linear::make(list, prefix + "linear", JointBlock::kChunks * width, width,
                                 {.init = Init::kUniform, .cut = LinearCut::kOutputs});
  made.all.ranks = list.tensor_ranks();
  return made;
}

Var TimeModulation::embed(Tape& tape, const Tensor& t) const {
  const Var features = timestep_features(tape, t, kTimestepFeatures);
  return second(tape, silu(tape, first(tape, features)));
}

Var TimeModulation::operator()(Tape& tape, const Var& embedded) const {
  const Var condition =
      copy_to_tensor_ranks(tape, silu(tape, embedded), all.ranks, "gradient of the condition");
  return all(tape, condition);
}

EmmditModel::EmmditModel(const EmmditConfig& config, Device& device, DType dtype, TensorGroup ranks)
    : Model(config, ranks), config_(config) {
  config_.validate();
  check_tensor_degree(config_.name, config_.tensor_degrees(), ranks);
  const std::int64_t width = config_.width;
  add_positions(device, dtype);
  patch_embedding_ = make_patch_embedding(parameters_, config_);
  text_embedding_ = Linear::make(parameters_, "context_embedder", width, config_.text.channels,
                                 {.init = Init::kUniform});
  time_ = TimeModulation::make(parameters_, width);
  std::int64_t number = 0;
  for (std::size_t group = 0; group < config_.groups.size(); ++group) {
    if (group == 1) compressor_ = TokenCompressor::make(parameters_, width);
    if (group == 2) reconstructor_ = TokenReconstructor::make(parameters_, width);
    std::vector<JointBlock>& blocks = groups_.emplace_back();
    for (std::int64_t i = 0; i < config_.groups[group]; ++i, ++number) {
      const JointSizes sizes{.width = width,
                             .heads = config_.heads,
                             .hidden_units = config_.hidden_units(),
                             .head_norm = config_.head_norm,
                             .regions = config_.regions_of(number),
                             .is_last = number + 1 == config_.blocks()};
      blocks.push_back(
          JointBlock::make(parameters_, fmt::format("block_groups.{}.{}", group, i), sizes));
    }
  }
  output_ = Linear::make(parameters_, "proj_out", config_.patch_outputs(), width,
                         {.init = Init::kUniform});
}

// Files have the whole table, of which pictures see the middle.
void EmmditModel::add_positions(Device& device, DType dtype) {
  const std::int64_t all = config_.position_grid, width = config_.width;
  const TokenGrid grid = config_.patches();
  fixed_tables_.push_back({"pos_embed.pos_embed",
                           {1, all * all, width},
                           sincos_positions(width, TokenGrid::square(all), PositionForm::kGrid,
                                            config_.position_distance())});
  positions_ = constant(device, middle_of(fixed_tables_.back().values, all, grid.rows, width),
                        {grid.tokens(), width}, dtype);
}

Var EmmditModel::embed_text(Tape& tape, const TextInputs& text) const {
  const Shape& shape = text.features.shape;
  require(text.features.defined() && shape.rank() == 3 && shape[1] == config_.text.tokens &&
              shape[2] == config_.text.channels,
          "model", "{} reads texts of {} tokens with {} features each, is given {}", config_.name,
          config_.text.tokens, config_.text.channels, to_string(shape));
  Var features = tape.make(shape);
  tape.device().copy(text.features, features.tensor());
  return text_embedding_(tape, features);
}

void EmmditModel::run_group(Tape& tape, std::size_t group, const Var& modulation,
                            const PassHooks& hooks, JointTokens& tokens) const {
  std::int64_t first = 0;
  for (std::size_t before = 0; before < group; ++before) first += config_.groups[before];
  const std::vector<JointBlock>& blocks = groups_[group];
  const std::size_t count =
      hooks.taps == nullptr ? blocks.size() : hooks.taps->needed(first, blocks.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t number = first + static_cast<std::int64_t>(i);
    tokens = blocks[i](tape, tokens, modulation,
                       {.hooks = hooks, .number = number, .text_number = config_.blocks() + number},
                       recompute_);
    if (hooks.taps != nullptr) hooks.taps->offer(number + 1, 0, tokens.image);
  }
}

Var EmmditModel::run_groups(Tape& tape, JointTokens tokens, const Var& modulation,
                            const PassHooks& hooks) const {
  const TokenGrid grid = config_.patches();
  run_group(tape, 0, modulation, hooks, tokens);
  const Var fine = tokens.image;
  tokens.image = compressor_(tape, fine, grid);
  run_group(tape, 1, modulation, hooks, tokens);
  tokens.image = reconstructor_(tape, tokens.image, fine, grid, positions_);
  run_group(tape, 2, modulation, hooks, tokens);
  return tokens.image;
}

// A norm that nothing modulates: by zeros.
Var EmmditModel::finish(Tape& tape, const Var& x) const {
  const Var none = tape.make({x.shape()[0], 2 * config_.width});
  tape.device().zero(none.tensor());
  return output_(tape, modulated_norm(tape, x, none));
}

Var EmmditModel::forward(Tape& tape, const ModelInputs& inputs) {
  const Var x = reused(tape, inputs.hooks.reuse, {}, [&] {
    JointTokens tokens{patch_embedding_(tape, inputs, positions_), embed_text(tape, inputs.text)};
    const Var modulation = time_(tape, time_.embed(tape, inputs.t));
    return run_groups(tape, std::move(tokens), modulation, inputs.hooks);
  });
  return finish(tape, x);
}

}  // namespace edt
