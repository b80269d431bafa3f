// Blocks of one width on one grid, one after the other, with what goes with all of them:
// modulations, skips, hooks.
#pragma once

#include <span>
#include <vector>

#include "core/ops/linears_ahead.h"
#include "model/blocks/modules.h"

namespace edt {

// The modulations of blocks of one width, which all read the same condition: computed at once at
// the head of a stage, where their weights are there by then; one that they share is computed
// there.
class StageModulation {
 public:
  StageModulation(Tape& tape, std::span<const TransformerBlock> blocks, const Var& condition);
  // For block `i`, just before it.
  Var chunks(Tape& tape, std::size_t i) const;

 private:
  std::span<const TransformerBlock> blocks_;
  LinearsAhead projections_;  // of blocks that have their own
  Var shared_;
};

// Tokens on their way through blocks: those of all rows of the condition, or of one of several
// passes that go through each block in turn, so that its weights are there for all of them.
struct Stream {
  Var x;
  std::vector<Var> skips;         // the last one is taken first
  std::int64_t first_row = 0;     // of the condition's
  VisibleTokens visible = {};     // defined: the tokens are the visible ones of the grid,
  std::int64_t most_visible = 0;  // which may be so many
  Var rotation = {};              // of these, for heads that are rotated
  TextTokens text = {};           // of these rows
};

// The tokens of x [groups * B, T, D] that each group keeps, B rows for each, as streams.
std::vector<Stream> split_groups(Tape& tape, const Var& x, const TextTokens& text,
                                 std::span<const VisibleTokens> groups);

// What the final layer makes of each stream, whose tokens are let go.
std::vector<Var> finish_groups(Tape& tape, std::span<Stream> streams, const Var& condition,
                               const FinalLayer& final_layer, const Var& embedded = {});

// What a stack does with the skips of its streams.
enum class SkipUse {
  kNone,
  kKept,  // what each block gives becomes one
  kTaken  // each block takes one
};

// The settings of a forward pass that all blocks share.
struct BlockPass {
  Recompute recompute = Recompute::kNone;
  PassHooks hooks;
  Var time = {};  // gate_time(), of a network with gates
};

// A part of a model's blocks; does not own them.
struct BlockStack {
  std::span<const TransformerBlock> blocks;
  std::int64_t first = 0;  // number of the first of them in the model, in the order of computing
  SkipUse skips = SkipUse::kNone;

  void operator()(Tape& tape, std::span<Stream> streams, const Var& condition,
                  const BlockPass& pass) const;
  // A single stream without skips.
  Var operator()(Tape& tape, Var x, const Var& condition, const TextTokens& text,
                 const BlockPass& pass) const;

 private:
  struct BlockShare {  // of all streams
    Var chunks;
    UnitFactors factors;
    UnitGates::Pass gates;
  };
  BlockShare share_of(Tape& tape, std::size_t i, const StageModulation& modulation,
                      std::int64_t rows, const BlockPass& pass) const;
  BlockInputs inputs_of(std::size_t i, const BlockShare& share, const BlockPass& pass,
                        const Stream& stream) const;
  void run_block(Tape& tape, std::size_t i, const BlockShare& share, const BlockPass& pass,
                 Stream& stream) const;
  void finish_block(std::size_t i, const BlockPass& pass, Stream& stream) const;
  // Whether nothing stands between the sum at the end of a block and the norm at the start of the
  // next, and `rows` of the condition are those of the one stream.
  bool joins_norms(std::span<const Stream> streams, std::int64_t rows, const BlockPass& pass) const;
  // The first `count` blocks, those two in one op.
  void run_joined(Tape& tape, std::size_t count, const StageModulation& modulation,
                  const BlockPass& pass, Stream& stream) const;
  // Of a block with gates; `rows` of the condition.
  UnitGates::Pass open_gates(Tape& tape, const TransformerBlock& block, std::int64_t rows,
                             const BlockPass& pass) const;
};

}  // namespace edt
