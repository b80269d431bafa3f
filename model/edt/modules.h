// The building blocks of EDT as parameter handles and functions on the tape.
#pragma once

#include <string>

#include "core/ops/backend.h"
#include "model/model.h"

namespace edt {

// How a layer is cut over tensor ranks. Outputs: each rank computes some of them. Inputs: each rank
// has some of them, and the partial results are to be summed before the bias is added.
enum class LinearCut { kNone, kOutputs, kInputs };

struct LinearOptions {
  Init init = Init::kXavierUniform;
  bool bias = true;
  LinearCut cut = LinearCut::kNone;
  int chunks = 1;  // of the outputs, each cut by itself
};

struct Linear {
  Parameter* weight = nullptr;
  Parameter* bias = nullptr;  // nullptr: none

  // Parameters `prefix`.weight [out, in] and `prefix`.bias [out].
  static Linear make(ParameterList& list, const std::string& prefix, std::int64_t out,
                     std::int64_t in, const LinearOptions& options = {});
  Var operator()(Tape& tape, const Var& x, const Tensor& positions = {}) const {
    return linear(tape, x, *weight, bias, positions);
  }
};

// c = MLP(sinusoidal features of t) + label embedding, then SiLU: what every adaLN projection
// reads.
struct ConditionEmbedding {
  Linear first, second;
  Parameter* labels = nullptr;

  static ConditionEmbedding make(ParameterList& list, std::int64_t width, std::int64_t classes);
  Var operator()(Tape& tape, const Tensor& t, const Tensor& label_ids) const;
};

// The adaLN projection of the condition, [B, condition] -> [B, out]: each tensor rank computes some
// columns, and all of them receive all.
struct Modulation {
  Linear linear;
  TensorGroup ranks;

  static Modulation make(ParameterList& list, const std::string& prefix, std::int64_t out,
                         std::int64_t condition, Init init);
  Var operator()(Tape& tape, const Var& condition) const;
};

// The part of a block between a column-cut and a row-cut product: attention by heads, or the MLP.
struct ParallelBranch {
  TensorGroup ranks;
  std::string input_label, output_label;

  static ParallelBranch make(ParameterList& list, const std::string& prefix);
  // The input of the first product; its gradient is summed over the ranks.
  Var enter(Tape& tape, const Var& x) const;
  // The bias that the last product may add itself.
  Parameter* bias_inside(Parameter* bias) const { return ranks.single() ? bias : nullptr; }
  // Sums the results of the last product and adds the bias that it has not added.
  Var leave(Tape& tape, const Var& partial, Parameter& bias) const;
};

// A transformer block with adaLN-Zero conditioning and relative-position bias.
struct TransformerBlock {
  Parameter* bias_table = nullptr;
  Linear qkv, projection, fc1, fc2;
  Modulation modulation;
  ParallelBranch attention_branch, mlp_branch;

  struct Sizes {
    std::int64_t width, heads, grid, mlp_ratio, condition;
  };
  static TransformerBlock make(ParameterList& list, const std::string& prefix, const Sizes& sizes);

  // `amm` defined: attention with the modulation matrix. `recompute` says what is run twice.
  Var operator()(Tape& tape, const Var& x, const Var& condition, const Tensor& amm,
                 Recompute recompute) const;

 private:
  Var run(Tape& tape, const Var& x, const Var& condition, const Tensor& amm,
          bool recompute_mlp) const;
};

// LayerNorm over a 2x2 merge, modulation, token mask, reduction and positions.
struct DownSample {
  Modulation modulation;
  Linear reduction;
  static DownSample make(ParameterList& list, const std::string& prefix, std::int64_t width,
                         std::int64_t out_width, std::int64_t condition);
  Var operator()(Tape& tape, const Var& x, const Var& condition, const Tensor& mask,
                 const Tensor& positions) const;
};

// Expansion and pixel shuffle onto the doubled grid.
struct UpSample {
  Linear expand;
  Var operator()(Tape& tape, const Var& x) const { return pixel_shuffle(tape, expand(tape, x)); }
};

// Concatenation with the skip, LayerNorm, modulation, projection and positions.
struct SkipConcat {
  Modulation modulation;
  Linear projection;
  static SkipConcat make(ParameterList& list, const std::string& prefix, std::int64_t width,
                         std::int64_t condition);
  Var operator()(Tape& tape, const Var& x, const Var& skip, const Var& condition,
                 const Tensor& positions) const;
};

struct FinalLayer {
  Linear projection;
  Modulation modulation;
  static FinalLayer make(ParameterList& list, std::int64_t width, std::int64_t out);
  Var operator()(Tape& tape, const Var& x, const Var& condition) const;
};

}  // namespace edt
