// EDT, the efficient diffusion transformer (Chen et al., arXiv 2410.23788): a U-shaped stack of
// transformer stages on token grids that halve and double again, with token masks in training.
#pragma once

#include "model/blocks/stack.h"
#include "model/edt/config.h"
#include "model/edt/modules.h"
#include "model/model.h"

namespace edt {

class EdtModel final : public Model {
 public:
  // Tables are kept on `device` in `dtype`, the tape's activation type. Several `ranks` hold the
  // model together; UsageError where their number is none of config.tensor_degrees().
  EdtModel(const EdtConfig& config, Device& device, DType dtype, TensorGroup ranks = {});

  const EdtConfig& config() const { return config_; }
  void set_recompute(Recompute recompute) override { recompute_ = recompute; }

  // Blocks whose attention is multiplied by the modulation matrix, which no gradient passes:
  // when sampling.
  void set_amm_blocks(const std::vector<std::int64_t>& blocks);

  Var forward(Tape& tape, const ModelInputs& inputs) override {
    return forward_masked(tape, inputs, {});
  }
  // With masks [B, tokens] (1 keeps): the masked pass.
  Var forward_masked(Tape& tape, const ModelInputs& inputs, const std::vector<Tensor>& masks);
  Var forward_passes(Tape& tape, const ModelInputs& inputs, const PassMasks& masks) override;

 private:
  // Where a forward pass has got to.
  struct State {
    Var x;
    Var condition;
    TextTokens text;
    std::vector<Var> skips;
    BlockPass pass;
  };
  // Before the first block.
  State begin(Tape& tape, const ModelInputs& inputs);
  // The blocks before the point where the first mask would strike, and all that follow.
  void run_shared(Tape& tape, State& state);
  Var run_rest(Tape& tape, const State& state, const std::vector<Tensor>& masks);
  // Parameters are listed in the order of their use in the forward pass: so ZeRO's buckets arrive
  // when they are needed, and their gradients are final in the opposite order.
  void add_blocks(std::int64_t stage);
  void add_way_down(std::int64_t stage);  // from the stage to the next
  void add_way_up(std::int64_t stage);    // into the stage from the one before
  void add_fixed_table(const std::string& name, std::int64_t width, const TokenGrid& grid);
  void add_masks();
  Var run_blocks(Tape& tape, Var x, const State& state, std::int64_t first, std::int64_t last);
  // Of the first stage: they run before the first mask.
  std::int64_t shared_blocks() const { return config_.passes().shared_blocks; }

  EdtConfig config_;
  Device& device_;
  DType dtype_;
  Recompute recompute_ = Recompute::kNone;
  ConditionEmbedding embedding_;
  TextEmbedding text_;
  PatchEmbedding patch_embedding_;
  std::vector<TransformerBlock> blocks_;
  std::vector<DownSample> down_;
  std::vector<UpSample> up_;
  std::vector<SkipConcat> concat_;
  FinalLayer final_;
  std::vector<Tensor> tables_;  // device copies of fixed_tables_: the positions of each stage
};

}  // namespace edt
