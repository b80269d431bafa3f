// E-MMDiT (arXiv 2510.27135): pictures from texts by joint attention of both, on few tokens.
#pragma once

#include "model/emmdit/config.h"
#include "model/emmdit/joint_block.h"
#include "model/emmdit/resampling.h"
#include "model/model.h"

namespace edt {

// The one modulation of all blocks, from the time alone.
struct TimeModulation {
  Linear first, second;
  Modulation all;

  static TimeModulation make(ParameterList& list, std::int64_t width);
  // What the network makes of t [B]: [B, width].
  Var embed(Tape& tape, const Tensor& t) const;
  // [B, 6 * width]
  Var operator()(Tape& tape, const Var& embedded) const;
};

class EmmditModel final : public Model {
 public:
  // As EdtModel::EdtModel.
  EmmditModel(const EmmditConfig& config, Device& device, DType dtype, TensorGroup ranks = {});

  const EmmditConfig& config() const { return config_; }
  void set_recompute(Recompute recompute) override { recompute_ = recompute; }
  Var forward(Tape& tape, const ModelInputs& inputs) override;

 private:
  void add_positions(Device& device, DType dtype);
  Var embed_text(Tape& tape, const TextInputs& text) const;
  // Through the blocks of a group.
  void run_group(Tape& tape, std::size_t group, const Var& modulation, const PassHooks& hooks,
                 JointTokens& tokens) const;
  // What the last layer reads.
  Var run_groups(Tape& tape, JointTokens tokens, const Var& modulation,
                 const PassHooks& hooks) const;
  Var finish(Tape& tape, const Var& x) const;

  EmmditConfig config_;
  Recompute recompute_ = Recompute::kNone;
  PatchEmbedding patch_embedding_;
  Linear text_embedding_;
  TimeModulation time_;
  std::vector<std::vector<JointBlock>> groups_;
  TokenCompressor compressor_;
  TokenReconstructor reconstructor_;
  Linear output_;
  Tensor positions_;  // [tokens, width]
};

}  // namespace edt
