// Two streams of tokens as one: for attention of both together, of all tokens or within regions
// that do not see each other (joint attention in sub-regions, E-MMDiT, arXiv 2510.27135).
#pragma once

#include "core/ops/kernel.h"

namespace edt {

// Token l * (ratio * run) + j * run + i of a stream, for i < run, is one of region j < ratio: runs
// of neighbours are dealt to the regions in turn. One region: all tokens.
struct TokenRegions {
  std::int64_t ratio = 1;  // how many regions
  std::int64_t run = 1;

  // What the tokens of a stream are a multiple of.
  std::int64_t step() const { return ratio * run; }
  bool operator==(const TokenRegions&) const = default;
};

// a [B, Ta, N], b [B, Tb, N], joined [B * ratio, (Ta + Tb) / ratio, N]: row r * ratio + j has the
// tokens of sample r in region j, those of a in their order, then those of b in theirs.
struct RegionKernels : virtual KernelFamily {
  // One of a and b may be undefined: its tokens become zero, or stay as they are where values are
  // added to those that are there.
  virtual void join_tokens(const Tensor& a, const Tensor& b, std::int64_t ratio, std::int64_t run,
                           const GradTarget& joined);
  // Back. One of a and b may be not wanted.
  virtual void split_tokens(const Tensor& joined, std::int64_t ratio, std::int64_t run,
                            const GradTarget& a, const GradTarget& b);
};

Var join_tokens(Tape& tape, const Var& a, const Var& b, const TokenRegions& regions = {});
// Of what join_tokens() gave for an `a` of `tokens` tokens: a, or b.
Var first_tokens(Tape& tape, const Var& joined, std::int64_t tokens,
                 const TokenRegions& regions = {});
Var last_tokens(Tape& tape, const Var& joined, std::int64_t tokens,
                const TokenRegions& regions = {});
// a, b [B, T, N] -> [B, T, 2 N], token by token.
Var join_columns(Tape& tape, const Var& a, const Var& b);

}  // namespace edt
