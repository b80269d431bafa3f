// A block of two streams of tokens, those of the picture and those of its text: each has weights of
// its own, and both attend to both (E-MMDiT, arXiv 2510.27135).
#pragma once

#include <array>
#include <string>

#include "core/ops/regions.h"
#include "model/blocks/modules.h"

namespace edt {

struct JointTokens {
  Var image, text;  // [B, tokens, width]; behind the last block there is no text
};

// What a block sees besides tokens and modulation.
struct JointInputs {
  PassHooks hooks = {};
  std::int64_t number = 0;       // of the block, for hooks
  std::int64_t text_number = 0;  // of what it does with the text
};

struct JointSizes {
  std::int64_t width, heads, hidden_units;
  HeadNorm head_norm = HeadNorm::kRms;
  TokenRegions regions = {};
  bool is_last = false;  // its text is read, and goes no further
};

// What a block has for one of the streams.
struct JointStream {
  // Names of its parts: of those of the text "_context" and others.
  struct Names {
    std::string_view norm, query, key, value, query_norm, key_norm, out, mlp, tables_end;
  };

  std::int64_t heads = 0;                      // of this rank
  Parameter *norm = nullptr, *bias = nullptr;  // of the layer norm in front of attention
  std::array<Linear, 3> qkv;
  HeadTransform head_transform;
  ParallelBranch attention_branch;
  Linear projection;  // no weight: its tokens go no further
  FeedForward mlp;
  ModulationTables tables;

  static JointStream make(ParameterList& list, const std::string& prefix, const JointSizes& sizes,
                          const Names& names, bool goes_on);
  bool goes_on() const { return projection.weight != nullptr; }
  // Its modulation, of that of all blocks; empty where it has none.
  Var chunks(Tape& tape, const Var& modulation) const;
  // Queries, keys and values [B, tokens, 3 * width of this rank].
  Var heads_of(Tape& tape, const Var& x, const Var& chunks) const;
  // Of what attention gave.
  Var project(Tape& tape, const Var& attended) const;
  // What attention gave added, gated; and its norm in front of the MLP where they are done
  // together.
  static GateNorm add_attended(Tape& tape, const Var& x, const Var& chunks, const Var& branch,
                               bool with_norm);
  // `normed`: x behind the norm, or empty.
  Var mlp_of(Tape& tape, const Var& x, Var normed, const Var& chunks, std::int64_t number,
             HiddenReuse* hook, Recompute recompute) const;
};

struct JointBlock {
  static constexpr int kChunks = 6;  // of a modulation: shift, scale, gate of attention and of MLP

  TokenRegions regions;
  JointStream image, text;

  static JointBlock make(ParameterList& list, const std::string& prefix, const JointSizes& sizes);

  // `modulation` [B, 6 * width] is that of all blocks. Texts have no lengths here: what stands
  // behind the last token of one is attended to like the rest, as in the published network.
  JointTokens operator()(Tape& tape, const JointTokens& tokens, const Var& modulation,
                         const JointInputs& inputs, Recompute recompute) const;

 private:
  JointTokens run(Tape& tape, const JointTokens& tokens, const Var& modulation,
                  const JointInputs& inputs, Recompute recompute) const;
  // Both streams' shares in what attention gives, before their gates.
  JointTokens attend(Tape& tape, const JointTokens& tokens, const JointTokens& chunks,
                     const JointInputs& inputs) const;
};

}  // namespace edt
