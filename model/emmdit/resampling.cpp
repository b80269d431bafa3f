#include "model/emmdit/resampling.h"

#include "core/ops/fold.h"
#include "core/ops/regions.h"
#include "model/emmdit/config.h"

namespace edt {
namespace {

constexpr std::int64_t kNarrow = EmmditConfig::kNarrow, kWide = EmmditConfig::kWide;

}  // namespace

PixelMlp PixelMlp::make(ParameterList& list, const std::string& prefix, std::int64_t width,
                        std::int64_t inputs) {
  const LinearOptions options{.init = Init::kUniform, .is_convolution = true};
  PixelMlp made;
  made.in = Linear::make(list, prefix + ".1", width, inputs, options);
  made.out = Linear::make(list, prefix + ".3", width, width, options);
  return made;
}

TokenCompressor TokenCompressor::make(ParameterList& list, std::int64_t width) {
  const std::string prefix = "tokencompressor.0.0.";
  TokenCompressor made;
  made.narrow = PixelMlp::make(list, prefix + "body2x", width, kNarrow * kNarrow * width);
  made.wide = PixelMlp::make(list, prefix + "body4x", width, kWide * kWide * width);
  return made;
}

Var TokenCompressor::operator()(Tape& tape, const Var& x, const TokenGrid& grid) const {
  const Var few = narrow(tape, fold_tokens(tape, x, grid, kNarrow));
  return join_tokens(tape, few, wide(tape, fold_tokens(tape, x, grid, kWide)));
}

TokenReconstructor TokenReconstructor::make(ParameterList& list, std::int64_t width) {
  const std::string prefix = "tokenreconstructor.0.0.";
  TokenReconstructor made;
  made.narrow = PixelMlp::make(list, prefix + "body2x", width, width / (kNarrow * kNarrow));
  made.wide = PixelMlp::make(list, prefix + "body4x", width, width / (kWide * kWide));
  made.merge = Linear::make(list, prefix + "mergers.0", width, 3 * width, {.init = Init::kUniform});
  made.out = Linear::make(list, prefix + "mergers.2", width, width, {.init = Init::kUniform});
  return made;
}

Var TokenReconstructor::operator()(Tape& tape, const Var& x, const Var& fine, const TokenGrid& grid,
                                   const Tensor& positions) const {
  const std::int64_t count = grid.tokens() / (kNarrow * kNarrow);
  const Var from_narrow =
      narrow(tape, unfold_tokens(tape, first_tokens(tape, x, count), grid, kNarrow));
  const Var from_wide = wide(tape, unfold_tokens(tape, last_tokens(tape, x, count), grid, kWide));
  const Var merged = concat_linear(tape, join_columns(tape, from_narrow, from_wide), fine,
                                   *merge.weight, *merge.bias);
  return out(tape, gelu(tape, merged), positions);
}

}  // namespace edt
