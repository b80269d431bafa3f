// DiT, the diffusion transformer (Peebles and Xie, arXiv 2212.09748): adaLN-Zero blocks on all
// tokens, no masked pass; and with blocks of another style LightningDiT (Yao et al., arXiv
// 2501.01423).
#pragma once

#include "model/blocks/modules.h"
#include "model/dit/config.h"
#include "model/model.h"

namespace edt {

class DitModel final : public Model {
 public:
  // As EdtModel::EdtModel.
  DitModel(const DitConfig& config, Device& device, DType dtype, TensorGroup ranks = {});

  const DitConfig& config() const { return config_; }
  void set_recompute(Recompute recompute) override { recompute_ = recompute; }
  Var forward(Tape& tape, const ModelInputs& inputs) override;
  std::vector<Var> forward_groups(Tape& tape, const ModelInputs& inputs,
                                  std::span<const VisibleTokens> groups) override;

 private:
  void add_positions(Device& device, DType dtype);
  // What all adaLN projections read, what it is before its SiLU, and what gates read.
  struct Condition {
    Var activated, embedded, time;
  };
  Condition condition_of(Tape& tape, const ModelInputs& inputs);
  // [B, K, size], as the tokens of a group are turned; empty where heads are not.
  Var rotation_of(Tape& tape, const VisibleTokens& group) const;

  DitConfig config_;
  Recompute recompute_ = Recompute::kNone;
  PatchEmbedding patch_embedding_;
  ConditionEmbedding embedding_;
  TextEmbedding text_;
  std::vector<TransformerBlock> blocks_;
  FinalLayer final_;
  Tensor positions_;  // undefined: none are added to the patches
  Tensor rotation_;   // undefined: heads are not turned
};

}  // namespace edt
