// Hooks of a forward pass without gradients: what a sampler puts in the place of what a network
// would compute.
#pragma once

#include <cstdint>

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

struct PassHooks {
  BranchReuse* reuse = nullptr;
  HiddenReuse* hidden = nullptr;
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
