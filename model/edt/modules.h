// What joins the stages of EDT.
#pragma once

#include <string>

#include "model/blocks/modules.h"

namespace edt {

// LayerNorm over a 2x2 merge, modulation, token mask, reduction and positions.
struct DownSample {
  Modulation modulation;
  Linear reduction;
  TokenGrid grid;  // before
  static DownSample make(ParameterList& list, const std::string& prefix, const TokenGrid& grid,
                         std::int64_t width, std::int64_t out_width, std::int64_t condition);
  Var operator()(Tape& tape, const Var& x, const Var& condition, const Tensor& mask,
                 const Tensor& positions) const;
};

// Expansion and pixel shuffle onto the doubled grid.
struct UpSample {
  Linear expand;
  TokenGrid grid;  // before
  Var operator()(Tape& tape, const Var& x) const {
    return pixel_shuffle(tape, expand(tape, x), grid);
  }
};

// Concatenation with the skip, LayerNorm, modulation, projection and positions.
struct SkipConcat {
  Modulation modulation;
  Linear projection;
  static SkipConcat make(ParameterList& list, const std::string& prefix, std::int64_t width,
                         std::int64_t condition);
  Var operator()(Tape& tape, const Var& x, const Var& skip, const Var& condition,
                 const Tensor& positions) const;
};

}  // namespace edt
