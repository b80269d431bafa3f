// Blocks with dynamic width and tokens that leave out what their gates shut, in sampling: smaller
// matrices of the heads and groups that are on, and an MLP of the tokens that go through it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "core/ops/backend.h"
#include "model/blocks/unit_gates.h"

namespace edt {

struct FeedForward;
struct TransformerBlock;
struct UnitFactors;

class NarrowBlocks {
 public:
  // Of a model on `backend` whose parameters are bound.
  explicit NarrowBlocks(Backend& backend);
  ~NarrowBlocks();
  NarrowBlocks(const NarrowBlocks&) = delete;
  NarrowBlocks& operator=(const NarrowBlocks&) = delete;

  // Block `number` with those heads and groups alone whose gates [R, heads] are open, the same in
  // all rows: those of one time. Kept until others are, or forget_blocks().
  const TransformerBlock& block(std::int64_t number, const TransformerBlock& whole,
                                const UnitFactors& open);

  // What `mlp` makes of the tokens of x [R, T, width] whose gates [R, T] are open, and 0 for the
  // others. Products are of a fixed number of tokens at once, so that none hangs on what others
  // there are.
  Var mlp_of(Tape& tape, const FeedForward& mlp, const Var& x, const Var& open);

  // Products that were computed, as a share of those of whole blocks; of all calls.
  double share() const { return whole_ > 0 ? computed_ / whole_ : 1; }
  // What is kept of blocks, whose parameters may have changed.
  void forget_blocks();

 private:
  struct Kept;
  void cut_attention(const TransformerBlock& whole, Kept& kept);
  void cut_mlp(const TransformerBlock& whole, Kept& kept);
  // A parameter with the rows or columns of `whole` that belong to units which are on: it has
  // `chunks` times as many units one after the other.
  enum class Axis { kRows, kColumns };
  Parameter* cut_parameter(Kept& kept, Parameter& whole, Axis axis, const std::vector<bool>& on,
                           std::int64_t chunks);
  std::vector<bool> open_units(const Var& gates);

  Backend& backend_;
  std::map<std::int64_t, std::unique_ptr<Kept>> kept_;
  GateCosts of_block_;    // of the one that computes
  double on_hidden_ = 1;  // share of its groups that are on
  double computed_ = 0, whole_ = 0;
  std::vector<float> gates_;  // of a block, on the host
};

}  // namespace edt
