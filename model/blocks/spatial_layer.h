// The two-dimensional state-space layer (Baron et al., arXiv 2306.06635): each channel of the
// tokens is convolved with kernels as large as the grid, which a recurrence of few states gives
// (core/ops/state_space.h), so that queries, keys and values know what stands around a token. It
// begins as the identity.
#pragma once

#include <string>

#include "model/config.h"
#include "model/parameters.h"

namespace edt {

struct SpatialLayer {
  Parameter *a = nullptr, *b = nullptr, *c = nullptr, *omega = nullptr;
  TokenGrid grid;

  // Parameters `prefix`.A (A1 ... A4, or their radii and angles), .B, .C and .omega: the published
  // tables one behind the other. All tensor ranks have the whole layer, and compute alike.
  static SpatialLayer make(ParameterList& list, const std::string& prefix, std::int64_t width,
                           const TokenGrid& grid, const SpatialConfig& config);
  // x [B, T, width] on the whole grid -> the same shape
  Var operator()(Tape& tape, const Var& x) const;
};

}  // namespace edt
