// What networks make of texts: a mean in the condition, or tokens that blocks attend to.
#pragma once

#include <string>

#include "model/blocks/linear.h"
#include "model/model.h"

namespace edt {

// The mean over a text's tokens as a part of the condition.
struct PooledText {
  Linear projection;  // no weight: there is none

  // Parameters text_embedder.pooled [width, channels], of the part "text".
  static PooledText make(ParameterList& list, std::int64_t width, std::int64_t channels);
  bool is_on() const { return projection.weight != nullptr; }
  Var operator()(Tape& tape, const TextInputs& text) const;
};

// Texts on their way through a network, of the samples that go with them.
struct TextTokens {
  Var tokens;   // [B, L, width]; empty: the network reads none
  Var lengths;  // [B] int32

  // Of samples [begin, end).
  TextTokens rows(Tape& tape, std::int64_t begin, std::int64_t end) const;
  // Those of all samples, `times` after each other.
  TextTokens repeated(Tape& tape, std::int64_t times) const;
};

// Features to tokens by an MLP (PixArt, arXiv 2310.00426), once for all blocks.
struct TextEmbedding {
  Linear first, second;  // no weights: there is none
  TensorGroup ranks;

  // Parameters y_embedder.y_proj.fc1 and .fc2, as published, of the part "text".
  static TextEmbedding make(ParameterList& list, std::int64_t width, const TextConfig& config);
  // Blocks have heads of their own on each rank: the gradient is summed here, for all of them.
  TextTokens operator()(Tape& tape, const TextInputs& text) const;
};

// Attention of a block's tokens to those of the text, with no norm in front and no gate behind it.
// Its projection begins at zero: a network that has learnt without text goes on as it was.
struct CrossAttention {
  std::int64_t heads = 0;  // of this rank
  Linear query, key_value, projection;
  ParallelBranch branch;

  // Parameters `prefix`.q_linear, .kv_linear and .proj, as published, of the part "text".
  static CrossAttention make(ParameterList& list, const std::string& prefix, std::int64_t width,
                             std::int64_t heads, std::int64_t text_width);
  Var operator()(Tape& tape, const Var& x, const TextTokens& text) const;
};

}  // namespace edt
