// MDTv2, the masked diffusion transformer (Gao et al., arXiv 2303.14389): a masked pass drops
// tokens before the encoder, and a side block fills in what was dropped before the decoder.
#pragma once

#include "model/blocks/stack.h"
#include "model/mdtv2/config.h"
#include "model/model.h"

namespace edt {

class Mdtv2Model final : public Model {
 public:
  // As EdtModel::EdtModel.
  Mdtv2Model(const Mdtv2Config& config, Device& device, DType dtype, TensorGroup ranks = {});

  const Mdtv2Config& config() const { return config_; }
  void set_recompute(Recompute recompute) override { recompute_ = recompute; }
  Var forward(Tape& tape, const ModelInputs& inputs) override;
  Var forward_passes(Tape& tape, const ModelInputs& inputs, const PassMasks& masks) override;
  std::vector<Var> forward_groups(Tape& tape, const ModelInputs& inputs,
                                  std::span<const VisibleTokens> groups) override;

 private:
  Var embed(Tape& tape, const ModelInputs& inputs);
  Var condition_of(Tape& tape, const ModelInputs& inputs);
  // Of all rows, or of both passes block by block in turn.
  void encode(Tape& tape, std::span<Stream> streams, const Var& condition, const BlockPass& pass);
  // The tokens that the masked pass had dropped, filled in by the side block; of its rows.
  Var fill_in(Tape& tape, const Stream& masked, const Var& condition);
  void decode(Tape& tape, std::span<Stream> streams, const Var& condition, const BlockPass& pass);
  Var decode(Tape& tape, Var x, const Var& skip, const Var& condition, const TextTokens& text,
             const BlockPass& pass);

  std::int64_t most_visible() const { return config_.visible_tokens(config_.mask_ratio.low); }

  Mdtv2Config config_;
  Recompute recompute_ = Recompute::kNone;
  PatchEmbedding patch_embedding_;
  ConditionEmbedding embedding_;
  TextEmbedding text_;
  Parameter *positions_, *decoder_positions_, *mask_token_;
  std::vector<TransformerBlock> in_blocks_, out_blocks_, decoder_blocks_;
  TransformerBlock side_block_;
  FinalLayer final_;
};

}  // namespace edt
