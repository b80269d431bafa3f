// The building blocks of EDT as parameter handles and functions on the tape.
#pragma once

#include <string>

#include "core/ops/backend.h"
#include "model/model.h"

namespace edt {

struct Linear {
  Parameter* weight = nullptr;
  Parameter* bias = nullptr;  // nullptr: none

  // Parameters `prefix`.weight [out, in] and `prefix`.bias [out].
  static Linear make(ParameterList& list, const std::string& prefix, std::int64_t out,
                     std::int64_t in, Init init = Init::kXavierUniform, bool with_bias = true);
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

// A transformer block with adaLN-Zero conditioning and relative-position bias.
struct TransformerBlock {
  Parameter* bias_table = nullptr;
  Linear qkv, projection, fc1, fc2, modulation;

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
  Linear modulation, reduction;
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
  Linear modulation, projection;
  static SkipConcat make(ParameterList& list, const std::string& prefix, std::int64_t width,
                         std::int64_t condition);
  Var operator()(Tape& tape, const Var& x, const Var& skip, const Var& condition,
                 const Tensor& positions) const;
};

struct FinalLayer {
  Linear projection, modulation;
  static FinalLayer make(ParameterList& list, std::int64_t width, std::int64_t out);
  Var operator()(Tape& tape, const Var& x, const Var& condition) const;
};

}  // namespace edt
