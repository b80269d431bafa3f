#include "model/mdtv2/mdtv2_model.h"

#include "core/ops/rows.h"
#include "model/blocks/grid_checks.h"

namespace edt {
namespace {

constexpr std::int64_t kSpareTableRows = 3;  // as published; never read

}  // namespace

Mdtv2Model::Mdtv2Model(const Mdtv2Config& config, Device&, DType, TensorGroup ranks)
    : Model(config, ranks), config_(config) {
  config_.validate();
  check_tensor_degree(config_.name, config_.tensor_degrees(), ranks);
  const std::int64_t width = config_.width, tokens = config_.patches().tokens();
  TransformerBlock::Sizes sizes{.width = width,
                                .heads = config_.heads,
                                .mlp_ratio = config_.mlp_ratio,
                                .condition = width,
                                .grid = config_.patches(),
                                .spare_rows = kSpareTableRows};
  const auto blocks = [&](const char* group, std::int64_t count) {
    std::vector<TransformerBlock> made;
    for (std::int64_t b = 0; b < count; ++b) {
      made.push_back(TransformerBlock::make(parameters_, fmt::format("{}.{}", group, b), sizes));
    }
    return made;
  };
  positions_ = &parameters_.add_positions("pos_embed", config_.patches(), width);
  decoder_positions_ = &parameters_.add_positions("decoder_pos_embed", config_.patches(), width);
  mask_token_ = &parameters_.add("mask_token", {1, 1, width}, Init::kNormal002);
  patch_embedding_ = PatchEmbedding::make(parameters_, width, config_);
  embedding_ = ConditionEmbedding::make(parameters_, width, config_.classes);
  in_blocks_ = blocks("en_inblocks", config_.encoder_depth / 2);
  sizes.has_skip = true;
  out_blocks_ = blocks("en_outblocks", config_.encoder_depth / 2);
  sizes.has_skip = false;
  side_block_ = blocks("sideblocks", 1).front();
  sizes.has_skip = true;
  decoder_blocks_ = blocks("de_blocks", config_.decoder_depth);
  final_ = FinalLayer::make(parameters_, width, config_.patch_outputs());
  dropping_ = MaskSpec{"dropped", tokens, config_.mask_ratio.low, config_.mask_ratio.high};
}

Var Mdtv2Model::embed(Tape& tape, const Tensor& image) {
  return add_positions(tape, patch_embedding_(tape, image), *positions_);
}

Var Mdtv2Model::condition_of(Tape& tape, const ModelInputs& inputs) {
  return copy_to_tensor_ranks(tape, embedding_(tape, inputs.t, inputs.labels),
                              parameters_.tensor_ranks(), "gradient of the condition");
}

Var Mdtv2Model::encode(Tape& tape, Var x, const Var& condition) {
  std::vector<Var> skips;
  const StageModulation in(tape, in_blocks_, condition);
  for (std::size_t i = 0; i < in_blocks_.size(); ++i) {
    x = in_blocks_[i](tape, x, in.chunks(tape, i), {}, recompute_);
    skips.push_back(x);
  }
  const StageModulation out(tape, out_blocks_, condition);
  for (std::size_t i = 0; i < out_blocks_.size(); ++i) {
    x = out_blocks_[i](tape, x, out.chunks(tape, i),
                       {.amm = {}, .visible = {}, .skip = skips.back()}, recompute_);
    skips.pop_back();
  }
  return x;
}

Mdtv2Model::Passes Mdtv2Model::encode_both(Tape& tape, Passes x, const Var& condition,
                                           const VisibleTokens& visible) {
  const std::int64_t batch = x.full.shape()[0];
  std::vector<Passes> skips;
  const auto run = [&](const TransformerBlock& block, const Var& chunks, const Passes& skip) {
    x.full = block(tape, x.full, take_rows(tape, chunks, 0, batch),
                   {.amm = {}, .visible = {}, .skip = skip.full}, recompute_);
    const Var masked_chunks = take_rows(tape, chunks, batch, 2 * batch);
    const Tape::Capacity capacity(tape, most_visible(), visible.ids.shape[1]);
    x.masked = block(tape, x.masked, masked_chunks,
                     {.amm = {}, .visible = visible, .skip = skip.masked}, recompute_);
  };
  const StageModulation in(tape, in_blocks_, condition);
  for (std::size_t i = 0; i < in_blocks_.size(); ++i) {
    run(in_blocks_[i], in.chunks(tape, i), {});
    skips.push_back(x);
  }
  const StageModulation out(tape, out_blocks_, condition);
  for (std::size_t i = 0; i < out_blocks_.size(); ++i) {
    run(out_blocks_[i], out.chunks(tape, i), skips.back());
    skips.pop_back();
  }
  return x;
}

Var Mdtv2Model::fill_in(Tape& tape, const Var& x, const Var& condition,
                        const VisibleTokens& visible) {
  const std::int64_t batch = x.shape()[0];
  const Var before =
      add_positions(tape, restore_tokens(tape, x, visible, *mask_token_), *decoder_positions_);
  const Var chunks = side_block_.modulation(tape, take_rows(tape, condition, batch, 2 * batch));
  const Var side = side_block_(tape, before, chunks, {}, recompute_);
  return select_tokens(tape, before, side, visible);
}

Var Mdtv2Model::decode(Tape& tape, Var x, const Var& skip, const Var& condition) {
  const StageModulation modulation(tape, decoder_blocks_, condition);
  for (std::size_t i = 0; i < decoder_blocks_.size(); ++i) {
    x = decoder_blocks_[i](tape, x, modulation.chunks(tape, i),
                           {.amm = {}, .visible = {}, .skip = skip}, recompute_);
  }
  return final_(tape, x, condition);
}

Var Mdtv2Model::forward(Tape& tape, const ModelInputs& inputs) {
  const Var x = embed(tape, inputs.image);
  const Var condition = condition_of(tape, inputs);
  const Var encoded = add_positions(tape, encode(tape, x, condition), *decoder_positions_);
  return decode(tape, encoded, x, condition);
}

Var Mdtv2Model::forward_passes(Tape& tape, const ModelInputs& inputs, const PassMasks& masks) {
  const VisibleTokens& visible = masks.visible;
  const std::int64_t batch = visible.ids.shape[0];
  require<UsageError>(inputs.t.shape[0] == 2 * batch, "objective",
                      "{} is not made for passes that share their noise", name());
  const Var x = embed(tape, inputs.image);
  const Var condition = condition_of(tape, inputs);
  Passes passes;
  passes.full = take_rows(tape, x, 0, batch);
  {
    const Var masked_rows = take_rows(tape, x, batch, 2 * batch);
    const Tape::Capacity capacity(tape, most_visible(), visible.ids.shape[1]);
    passes.masked = gather_tokens(tape, masked_rows, visible);
  }
  passes = encode_both(tape, std::move(passes), condition, visible);
  passes.full = add_positions(tape, passes.full, *decoder_positions_);
  passes.masked = fill_in(tape, passes.masked, condition, visible);
  const Var joined = join_rows(tape, passes.full, passes.masked);
  passes = {};
  return decode(tape, joined, x, condition);
}

}  // namespace edt
