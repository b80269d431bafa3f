// The gates of a block with dynamic width and tokens (DyDiT, Zhao et al., arXiv 2410.03456): which
// heads and which groups of the MLP's hidden units it computes with, by the time alone, and which
// tokens go through the MLP, by what they hold.
#pragma once

#include <string>

#include "model/blocks/linear.h"
#include "model/gate_record.h"

namespace edt {

// Products of a block with all gates open, of one picture.
struct GateCosts {
  double attention = 0, mlp = 0;

  // Four maps of tokens and two products of tokens by tokens; the maps of the MLP.
  static GateCosts of(const BlockUnits& units, std::int64_t tokens, std::int64_t width);
};

struct UnitGates {
  Linear heads, hidden;            // routers: of all but the first, which is always on
  Linear token_first, token_last;  // with ReLU between them
  std::int64_t tokens = 0;
  GateCosts costs;

  // Parameters of the part "dynamic": `prefix`.attn_rate.router, .mlp_rate.router [heads - 1,
  // condition] and .token_selection.mlp_head.0 [width / 16, width] and .2 [1, width / 16].
  struct Sizes {
    std::int64_t width, condition, tokens;
    BlockUnits units;
  };
  static UnitGates make(ParameterList& list, const std::string& prefix, const Sizes& sizes,
                        const GateConfig& config);

  // Draws that a block takes for each sample: of heads, tokens and groups, in this order.
  std::int64_t draws() const;

  // Of one pass through the block.
  struct Pass {
    Var heads, hidden;             // [R, heads]
    GateNoise token_noise;         // undefined draws: none
    GateRecord* record = nullptr;  // nullptr: gates of all rows, by the sign of the logits
  };
  // `time` [rows with gates, condition]: the embedding of the time alone. `rows` of all.
  Pass begin(Tape& tape, const Var& time, std::int64_t rows, GateRecord* record) const;
  // [R, tokens] of x [R, tokens, width] behind attention; the pass is complete then.
  Var token_gates(Tape& tape, const Var& x, const Pass& pass) const;
};

}  // namespace edt
