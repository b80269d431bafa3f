// The building blocks of diffusion transformers as parameter handles and functions on the tape.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "core/ops/backend.h"
#include "core/ops/patches_beside.h"
#include "model/blocks/compressed_attention.h"
#include "model/blocks/linear.h"
#include "model/blocks/spatial_layer.h"
#include "model/blocks/style.h"
#include "model/blocks/text.h"
#include "model/blocks/unit_gates.h"
#include "model/model.h"
#include "model/unit_masks.h"

namespace edt {

// Sines and cosines of a timestep, as published.
inline constexpr std::int64_t kTimestepFeatures = 256;

// c = MLP(sinusoidal features of t) + label embedding, then SiLU: what every adaLN projection
// reads.
struct ConditionEmbedding {
  Linear first, second;
  Parameter* labels = nullptr;  // nullptr: of no classes

  PooledText text;  // added before the SiLU, where there is one

  static ConditionEmbedding make(ParameterList& list, std::int64_t width,
                                 const CommonConfig& config);
  // Before the SiLU, which embed() leaves out. `time`, where given, receives the embedding of the
  // time alone.
  Var embed(Tape& tape, const ModelInputs& inputs, Var* time = nullptr) const;
  Var operator()(Tape& tape, const ModelInputs& inputs) const {
    return silu(tape, embed(tape, inputs));
  }
};

// The adaLN projection of the condition, [B, condition] -> [B, out]: each tensor rank computes some
// columns, and all of them receive all.
struct Modulation {
  Linear linear;
  Parameter* norm = nullptr;  // weight of an RMS norm behind; nullptr: there is none
  TensorGroup ranks;

  // `init` of the projection. With a norm, or of a ternary weight, a modulation that begins at zero
  // does so by its norm's weight, or by its scale: what a norm makes of zeros is steep.
  static Modulation make(ParameterList& list, const std::string& prefix, std::int64_t out,
                         std::int64_t condition, Init init, const WeightStyle& weights = {});
  Var operator()(Tape& tape, const Var& condition) const {
    return gather(tape, linear(tape, condition));
  }
  // All columns, of those of this rank; behind the norm.
  Var gather(Tape& tape, const Var& columns) const;
};

// What a block makes of a modulation that it shares with others.
struct ModulationTables {
  Parameter* scale = nullptr;  // nullptr: it is not scaled
  Parameter* shift = nullptr;  // nullptr: it is taken as it is

  // Parameters [chunks, width] as published: of the affine form `prefix`.scale_shift_scale and
  // .scale_shift_bias, of the single one `prefix`.scale_shift_table; of others none. Zero: blocks
  // begin alike.
  static ModulationTables make(ParameterList& list, const std::string& prefix, ModulationForm form,
                               std::int64_t chunks, std::int64_t width);
  Var operator()(Tape& tape, const Var& modulation) const;
};

// Patches of the image as tokens, each beside the condition of its own that it may have: a frame of
// a sequence.
struct PatchEmbedding {
  Linear projection;
  std::int64_t patch = 0;
  bool has_frames = false;

  static PatchEmbedding make(ParameterList& list, std::int64_t width, const CommonConfig& config);
  // `positions` [T, width] are added where defined. UsageError where frames are to be read and none
  // are there.
  Var operator()(Tape& tape, const ModelInputs& inputs, const Tensor& positions = {}) const;
};

// What heads and hidden units are multiplied with, where there are masks or gates: factors [units],
// or [R, units].
struct UnitFactors {
  Var heads, hidden;
};

// The embedding of the time alone, of a network with gates: of the rows of a pass that have gates.
Var gate_time(Tape& tape, const Var& time, const PassHooks& hooks);

// What a block sees besides tokens and condition.
struct BlockInputs {
  VisibleTokens visible = {};  // defined: the tokens are the visible ones of the grid
  Var skip = {};               // of the tokens' shape, for blocks that have a skip linear
  Var rotation = {};           // [B, K, size] of the visible tokens, for heads that are rotated
  TextTokens text = {};        // of the samples of x, for blocks that attend to it
  UnitFactors factors = {};
  UnitGates::Pass gates = {};  // of a block that has gates
  PassHooks hooks = {};
  std::int64_t number = 0;  // of the block, for hooks
};

// A norm in front of a branch, followed by adaLN modulation.
struct BranchNorm {
  Parameter* weight = nullptr;  // of RMS norm; nullptr: layer norm

  // Parameter `name`.weight [width] of RMS norm; none of layer norm.
  static BranchNorm make(ParameterList& list, const std::string& name, std::int64_t width,
                         NormForm form);
  Var operator()(Tape& tape, const Var& x, const Var& modulation,
                 ModulationChunks chunks = {}) const;
};

// A branch that has yet to be added to what it branched from, gated. So that a norm that follows
// can be done with it.
struct OpenResidual {
  Var x, branch;
  GateChunk gate;

  Var close(Tape& tape) const;
  GateNorm close(Tape& tape, const BranchNorm& norm, const Var& modulation,
                 ModulationChunks chunks) const;
};

// What queries and keys go through before attention reads them.
struct HeadTransform {
  // q_norm and k_norm: weights, then biases; of no norm, and of RMS norm in the last two, nullptr.
  std::array<Parameter*, 4> norms{};
  Tensor rotation;  // [tokens, size] as head_transform() takes it, or undefined
  TensorGroup ranks;
  std::string label;

  static HeadTransform make(ParameterList& list, const std::string& prefix, std::int64_t size,
                            HeadNorm norm, const Tensor& rotation);
  // qkv itself where there is nothing to be done. `of_tokens`: instead of the rotation of the grid.
  Var operator()(Tape& tape, const Var& qkv, std::int64_t heads, const Var& of_tokens = {}) const;
};

// The MLP: fc1 and fc2, or SwiGLU's w12 (gate and value) and w3.
struct FeedForward {
  MlpForm form = MlpForm::kGelu;
  Linear in, out;
  ParallelBranch branch;

  static FeedForward make(ParameterList& list, const std::string& prefix, std::int64_t width,
                          std::int64_t hidden_units, MlpForm form,
                          WeightForm weights = WeightForm::kDense);
  // Of this rank's hidden units: leave() has to follow.
  Var enter(Tape& tape, const Var& x, KeepActivated keep) const;
  // The same in parts, the hidden units of a gelu going through `hook`; without gradients.
  Var enter(Tape& tape, const Var& x, std::int64_t block, HiddenReuse& hook) const;
  // The same, the hidden units times `factors` [units].
  Var enter_masked(Tape& tape, const Var& x, const Var& factors) const;
  Var leave(Tape& tape, const Var& partial) const { return branch.leave(tape, partial, *out.bias); }
};

// A transformer block with adaLN-Zero conditioning: where it has them with relative-position bias,
// and with a linear map of the concatenation with a skip in front.
struct TransformerBlock {
  std::int64_t heads = 0;           // of this rank
  Parameter* bias_table = nullptr;  // nullptr: no bias
  TokenGrid grid;                   // of the tokens
  Tensor amm;                       // [tokens, tokens]: attention with the modulation matrix
  Linear skip;                      // no weight: no skip
  BranchNorm attention_norm, mlp_norm;
  Linear qkv, projection;  // of softmax attention, as what follows
  HeadTransform head_transform;
  std::optional<CrossAttention> text;                   // between attention and MLP
  std::optional<CompressedAttention> linear_attention;  // instead
  std::optional<SpatialLayer> spatial;                  // in front of either
  FeedForward mlp;
  bool shifts = true;
  Modulation modulation;
  bool shares_modulation = false;  // it is that of all blocks of this width
  ModulationTables tables;         // of what is shared
  ParallelBranch attention_branch;
  UnitMasks* masks = nullptr;  // of a model that is being pruned: what it learns to lose
  std::optional<std::size_t> head_mask, hidden_mask;
  std::optional<UnitGates> gates;

  struct Sizes {
    std::int64_t width, condition;
    BlockUnits units = {};
    TokenGrid grid = {};          // of the tokens
    bool has_bias = false;        // relative-position bias, by a table
    std::int64_t spare_rows = 0;  // of the table, as published
    bool has_skip = false;
    BlockStyle style = {};
    WeightStyle weights = {};
    ModulationForm modulation = ModulationForm::kFull;
    const LinearAttentionConfig* linear = nullptr;  // of a stage of linear attention, which has no
                                                    // bias table
    SpatialConfig spatial = {};
    const Modulation* shared = nullptr;  // of a form that shares one: make_shared()
    Tensor rotation = {};                // of a style that rotates: [tokens, width / heads]
    std::int64_t text = 0;               // width of the text's tokens, which it attends to; 0: none
    UnitMasks* masks = nullptr;          // that it adds its own to, of these kinds
    MaskConfig mask_kinds = {};
    GateConfig gates = {};
  };
  // The projection of blocks of one width that share it, as `prefix`.adaLN_modulation.1; nothing
  // where each has its own.
  static std::optional<Modulation> make_shared(ParameterList& list, const std::string& prefix,
                                               const Sizes& sizes);
  static TransformerBlock make(ParameterList& list, const std::string& prefix, const Sizes& sizes);

  // Of its masks, once for all that runs through it; empty where it has none.
  UnitFactors factors(Tape& tape) const;
  // `chunks` is what StageModulation gives it; `recompute` says what is run twice.
  Var operator()(Tape& tape, const Var& x, const Var& chunks, const BlockInputs& inputs,
                 Recompute recompute) const;
  // The same but for the last sum, for a block that is not recomputed in full. `normed`: x behind
  // the norm in front of attention, where that was done with the sum before; or empty.
  OpenResidual open(Tape& tape, const Var& x, Var normed, const Var& chunks,
                    const BlockInputs& inputs, Recompute recompute) const;
  // open() with what close_before() made of the sum in front of this block, whose `chunks` they
  // are.
  GateNorm close_before(Tape& tape, const OpenResidual& before, const Var& chunks) const;
  // Whether nothing stands between the sum in front of the block and that norm.
  bool begins_with_norm() const { return skip.weight == nullptr && !gates; }

 private:
  Var attention_of(Tape& tape, const Var& x, Var normed, const Var& chunks,
                   const BlockInputs& inputs) const;
  Var attend(Tape& tape, const Var& values, const BlockInputs& inputs) const;
  // `normed`: x behind the norm, or empty.
  Var mlp_of(Tape& tape, const Var& x, Var normed, const Var& chunks, const BlockInputs& inputs,
             Recompute recompute) const;
  // The MLP where tokens have gates: what it gives for those that are shut is 0.
  Var gated_mlp_of(Tape& tape, const Var& x, const Var& chunks, const BlockInputs& inputs,
                   Recompute recompute) const;
};

struct FinalLayer {
  BranchNorm norm;
  Linear projection;
  Modulation modulation;  // of the condition, or
  Parameter* table =
      nullptr;  // scale_shift_table [2, width], which is added to the embedding twice
  static FinalLayer make(ParameterList& list, std::int64_t width, std::int64_t out,
                         NormForm norm = NormForm::kLayer,
                         ModulationForm form = ModulationForm::kFull);
  // `embedded`: the condition before its SiLU, which the single form reads.
  Var operator()(Tape& tape, const Var& x, const Var& condition, const Var& embedded = {}) const;
};

}  // namespace edt
