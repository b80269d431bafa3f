// Hooks of a forward pass: what a sampler, without gradients, puts in the place of what a network
// would compute; and tokens on their way through the network, for what trains beside it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/autograd/tape.h"

namespace edt {

enum class Branch {
  kAttention,  // of a block, behind its projection and before its gate
  kMlp,
  kBody  // all blocks together: what the final layer reads
};

struct BranchSite {
  std::int64_t block = 0;  // from 0 in the order of computing
  Branch branch = Branch::kBody;
};

// Takes what a branch gave at an earlier step instead of computing it.
class BranchReuse {
 public:
  virtual ~BranchReuse() = default;

  // Whether it is computed now. Follows from the step alone, so no picture depends on another.
  virtual bool computes(const BranchSite& site) const = 0;
  // What stands for it where it is not computed.
  virtual Var recall(Tape& tape, const BranchSite& site) = 0;
  // Told what was computed. A copy is kept, as the memory of the value is used again.
  virtual void keep(Tape& tape, const BranchSite& site, const Var& value) = 0;
};

// Sees what the second product of an MLP reads.
class HiddenReuse {
 public:
  virtual ~HiddenReuse() = default;

  // `hidden` [..., units] of the MLP of a block of this width; what is returned is read instead.
  virtual Var pass(Tape& tape, std::int64_t block, std::int64_t width, const Var& hidden) = 0;
};

// Keeps the tokens that blocks give, where somebody wants them. Blocks are counted from 1 in the
// order of computing: `after` 4 is what the fourth gives. The next block holds the same values, so
// that no memory is taken.
class Taps {
 public:
  // Blocks behind the last one that is wanted: of a teacher nobody reads them.
  enum class Rest { kComputed, kLeftOut };
  explicit Taps(std::vector<std::int64_t> after, Rest rest = Rest::kComputed)
      : wanted_(std::move(after)), rest_(rest) {}

  // Tokens [rows, T, width] of the rows of a step from `first_row` on.
  void offer(std::int64_t after, std::int64_t first_row, const Var& tokens);
  // Those of rows 0 ... rows - 1. Error where nobody has offered them.
  Var tokens(Tape& tape, std::int64_t after, std::int64_t rows) const;
  // Those of the rows that begin with `first_row`, as they were offered: of a pass, or of a group.
  const Var& from(std::int64_t after, std::int64_t first_row) const;
  // Of blocks `first`, counted from 0, and `count` - 1 behind it: how many are to be computed.
  std::size_t needed(std::int64_t first, std::size_t count) const;
  // Lets go of all values: before the tape is cleared.
  void clear() { kept_.clear(); }

 private:
  struct Kept {
    std::int64_t after, first_row;
    Var tokens;
  };
  const Kept* find(std::int64_t after, std::int64_t first_row) const;

  std::vector<std::int64_t> wanted_;
  Rest rest_;
  std::vector<Kept> kept_;
};

class GateRecord;    // model/gate_record.h
class NarrowBlocks;  // model/blocks/narrow_blocks.h

struct PassHooks {
  BranchReuse* reuse = nullptr;
  HiddenReuse* hidden = nullptr;
  Taps* taps = nullptr;
  GateRecord* gates = nullptr;     // of a network that has gates: in training
  NarrowBlocks* narrow = nullptr;  // likewise, in sampling: what they shut is left out, where it
                                   // would else be multiplied with 0
};

// `compute()`, or what stands for it.
template <class Compute>
Var reused(Tape& tape, BranchReuse* reuse, const BranchSite& site, Compute compute) {
  if (reuse == nullptr) return compute();
  if (!reuse->computes(site)) return reuse->recall(tape, site);
  Var value = compute();
  reuse->keep(tape, site, value);
  return value;
}

}  // namespace edt
