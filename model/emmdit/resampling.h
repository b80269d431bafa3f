// The way from the tokens of a grid to few of them and back: squares of 2 x 2 and of 4 x 4 tokens
// become one token each, both of the whole grid (multi-path compression of E-MMDiT, arXiv
// 2510.27135).
#pragma once

#include "model/blocks/modules.h"

namespace edt {

// Two convolutions of single pixels with a gelu between them.
struct PixelMlp {
  Linear in, out;

  static PixelMlp make(ParameterList& list, const std::string& prefix, std::int64_t width,
                       std::int64_t inputs);
  Var operator()(Tape& tape, const Var& x) const { return out(tape, gelu(tape, in(tape, x))); }
};

struct TokenCompressor {
  PixelMlp narrow, wide;

  static TokenCompressor make(ParameterList& list, std::int64_t width);
  // [B, T, width] on the grid -> [B, T / 4 + T / 16, width]
  Var operator()(Tape& tape, const Var& x, const TokenGrid& grid) const;
};

struct TokenReconstructor {
  PixelMlp narrow, wide;
  Linear merge, out;

  static TokenReconstructor make(ParameterList& list, std::int64_t width);
  // Back, beside the tokens `fine` that went into the compressor; `positions` [T, width] are added
  // where defined.
  Var operator()(Tape& tape, const Var& x, const Var& fine, const TokenGrid& grid,
                 const Tensor& positions) const;
};

}  // namespace edt
