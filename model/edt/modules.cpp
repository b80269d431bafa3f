#include "model/edt/modules.h"

namespace edt {

DownSample DownSample::make(ParameterList& list, const std::string& prefix, const TokenGrid& grid,
                            std::int64_t width, std::int64_t out_width, std::int64_t condition) {
  DownSample made;
  made.grid = grid;
  made.modulation = Modulation::make(list, prefix, 8 * width, condition, Init::kXavierUniform);
  made.reduction = Linear::make(list, prefix + ".reduction", out_width, 4 * width, {.bias = false});
  return made;
}

Var DownSample::operator()(Tape& tape, const Var& x, const Var& condition, const Tensor& mask,
                           const Tensor& positions) const {
  const Var merged = merge_norm(tape, x, grid, modulation(tape, condition), mask);
  return reduction(tape, merged, positions);
}

SkipConcat SkipConcat::make(ParameterList& list, const std::string& prefix, std::int64_t width,
                            std::int64_t condition) {
  SkipConcat made;
  made.modulation = Modulation::make(list, prefix, 4 * width, condition, Init::kXavierUniform);
  made.projection = Linear::make(list, prefix + ".cat", width, 2 * width);
  return made;
}

Var SkipConcat::operator()(Tape& tape, const Var& x, const Var& skip, const Var& condition,
                           const Tensor& positions) const {
  const Var joined = concat_norm(tape, x, skip, modulation(tape, condition));
  return projection(tape, joined, positions);
}

}  // namespace edt
