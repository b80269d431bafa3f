#include "model/mdtv2/mdtv2_model.h"

#include <array>

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
                                .condition = width,
                                .units = {.heads = config_.heads,
                                          .head_size = width / config_.heads,
                                          .hidden = config_.mlp_ratio * width},
                                .grid = config_.patches(),
                                .has_bias = true,
                                .spare_rows = kSpareTableRows,
                                .weights = config_.weights,
                                .modulation = config_.modulation,
                                .text = config_.text.form == TextForm::kCross ? width : 0};
  const auto blocks = [&](const char* group, std::int64_t count) {
    std::vector<TransformerBlock> made;
    for (std::int64_t b = 0; b < count; ++b) {
      made.push_back(TransformerBlock::make(parameters_, fmt::format("{}.{}", group, b), sizes));
    }
    return made;
  };
  const PositionForm form = config_.position_form();
  positions_ = &parameters_.add_positions("pos_embed", config_.patches(), width, form);
  decoder_positions_ =
      &parameters_.add_positions("decoder_pos_embed", config_.patches(), width, form);
  mask_token_ = &parameters_.add("mask_token", {1, 1, width}, Init::kNormal002);
  patch_embedding_ = PatchEmbedding::make(parameters_, width, config_);
  embedding_ = ConditionEmbedding::make(parameters_, width, config_);
  text_ = TextEmbedding::make(parameters_, width, config_.text);
  const auto shared = TransformerBlock::make_shared(parameters_, "modulation", sizes);
  sizes.shared = shared ? &*shared : nullptr;
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

Var Mdtv2Model::embed(Tape& tape, const ModelInputs& inputs) {
  return add_positions(tape, patch_embedding_(tape, inputs), *positions_);
}

Var Mdtv2Model::condition_of(Tape& tape, const ModelInputs& inputs) {
  return copy_to_tensor_ranks(tape, embedding_(tape, inputs), parameters_.tensor_ranks(),
                              "gradient of the condition");
}

void Mdtv2Model::encode(Tape& tape, std::span<Stream> streams, const Var& condition,
                        const BlockPass& pass) {
  const auto half = static_cast<std::int64_t>(in_blocks_.size());
  BlockStack{in_blocks_, 0, SkipUse::kKept}(tape, streams, condition, pass);
  BlockStack{out_blocks_, half, SkipUse::kTaken}(tape, streams, condition, pass);
}

Var Mdtv2Model::fill_in(Tape& tape, const Stream& masked, const Var& condition) {
  const VisibleTokens& visible = masked.visible;
  const std::int64_t first = masked.first_row, batch = masked.x.shape()[0];
  const Var before = add_positions(tape, restore_tokens(tape, masked.x, visible, *mask_token_),
                                   *decoder_positions_);
  const StageModulation modulation(tape, std::span(&side_block_, 1),
                                   take_rows(tape, condition, first, first + batch));
  const Var chunks = modulation.chunks(tape, 0);
  const Var side = side_block_(tape, before, chunks, {.text = masked.text}, recompute_);
  return select_tokens(tape, before, side, visible);
}

void Mdtv2Model::decode(Tape& tape, std::span<Stream> streams, const Var& condition,
                        const BlockPass& pass) {
  const std::size_t encoder = in_blocks_.size() + out_blocks_.size();
  const BlockStack stack{decoder_blocks_, static_cast<std::int64_t>(encoder), SkipUse::kTaken};
  stack(tape, streams, condition, pass);
}

Var Mdtv2Model::decode(Tape& tape, Var x, const Var& skip, const Var& condition,
                       const TextTokens& text, const BlockPass& pass) {
  Stream stream{
      .x = std::move(x), .skips = std::vector(decoder_blocks_.size(), skip), .text = text};
  decode(tape, std::span(&stream, 1), condition, pass);
  return std::move(stream.x);
}

Var Mdtv2Model::forward(Tape& tape, const ModelInputs& inputs) {
  const Var embedded = embed(tape, inputs);
  const Var condition = condition_of(tape, inputs);
  const TextTokens text = text_(tape, inputs.text);
  const BlockPass pass{recompute_, inputs.hooks};
  const Var x = reused(tape, inputs.hooks.reuse, {}, [&] {
    Stream stream{.x = embedded, .skips = {}, .text = text};
    encode(tape, std::span(&stream, 1), condition, pass);
    stream.x = add_positions(tape, stream.x, *decoder_positions_);
    return decode(tape, std::move(stream.x), embedded, condition, text, pass);
  });
  return final_(tape, x, condition);
}

// Without side block and mask token, as nothing is dropped. Decoder positions are learnt for the
// grid, so the tokens go back to their places for them.
std::vector<Var> Mdtv2Model::forward_groups(Tape& tape, const ModelInputs& inputs,
                                            std::span<const VisibleTokens> groups) {
  const Var condition = condition_of(tape, inputs);
  const BlockPass pass{recompute_, inputs.hooks};
  const TextTokens text = text_(tape, inputs.text);
  std::vector<Stream> streams = split_groups(tape, embed(tape, inputs), text, groups);
  std::vector<Var> embedded;
  for (const Stream& stream : streams) embedded.push_back(stream.x);
  encode(tape, streams, condition, pass);
  for (std::size_t g = 0; g < streams.size(); ++g) {
    Stream& stream = streams[g];
    const Var placed = restore_tokens(tape, stream.x, stream.visible, *mask_token_);
    stream.x =
        gather_tokens(tape, edt::add_positions(tape, placed, *decoder_positions_), stream.visible);
    stream.skips.assign(decoder_blocks_.size(), embedded[g]);
  }
  embedded.clear();
  decode(tape, streams, condition, pass);
  return finish_groups(tape, streams, condition, final_);
}

Var Mdtv2Model::forward_passes(Tape& tape, const ModelInputs& inputs, const PassMasks& masks) {
  const VisibleTokens& visible = masks.visible;
  const std::int64_t batch = visible.ids.shape[0];
  require<UsageError>(inputs.t.shape[0] == 2 * batch, "objective",
                      "{} is not made for passes that share their noise", name());
  const Var x = embed(tape, inputs);
  const Var condition = condition_of(tape, inputs);
  const TextTokens text = text_(tape, inputs.text);
  const BlockPass pass{recompute_, inputs.hooks};
  Var joined;
  {
    std::array<Stream, 2> streams;
    auto& [full, masked] = streams;
    full.x = take_rows(tape, x, 0, batch);
    full.text = text.rows(tape, 0, batch);
    masked.text = text.rows(tape, batch, 2 * batch);
    masked.first_row = batch;
    masked.visible = visible;
    masked.most_visible = most_visible();
    {
      const Var masked_rows = take_rows(tape, x, batch, 2 * batch);
      const Tape::Capacity capacity(tape, most_visible(), visible.ids.shape[1]);
      masked.x = gather_tokens(tape, masked_rows, visible);
    }
    encode(tape, streams, condition, pass);
    full.x = add_positions(tape, full.x, *decoder_positions_);
    masked.x = fill_in(tape, masked, condition);
    joined = join_rows(tape, full.x, masked.x);
  }
  return final_(tape, decode(tape, std::move(joined), x, condition, text, pass), condition);
}

}  // namespace edt
