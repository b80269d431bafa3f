#include "model/blocks/spatial_layer.h"

#include "core/ops/backend.h"

namespace edt {

// As published, but that C begins at zero and omega at one.
SpatialLayer SpatialLayer::make(ParameterList& list, const std::string& prefix, std::int64_t width,
                                const TokenGrid& grid, const SpatialConfig& config) {
  const bool complex = config.form == SpatialForm::kComplex;
  const std::int64_t planes = complex ? 4 : 2, groups = config.groups * config.directions;
  const ParameterList::Part part(list, "spatial-layer");
  SpatialLayer made;
  made.grid = grid;
  constexpr double kDeviation = 0.2;
  made.a = &list.add_drawn(prefix + ".A", {2 * planes, groups, config.states},
                           complex ? Init::kHalfToThree : Init::kNormal, kDeviation);
  made.b =
      &list.add_drawn(prefix + ".B", {planes, groups, config.states}, Init::kNormal, kDeviation);
  made.c =
      &list.add(prefix + ".C", {planes, config.directions * width, config.states}, Init::kZero);
  made.omega = &list.add(prefix + ".omega", {width}, Init::kOne);
  return made;
}

Var SpatialLayer::operator()(Tape& tape, const Var& x) const {
  return grid_convolution(tape, x, ssm2d_kernel(tape, *a, *b, *c, omega, grid), grid);
}

}  // namespace edt
