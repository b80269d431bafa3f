#include "core/ops/cases/op_case.h"

namespace edt {

OpCase ssm2d_kernel_case(const TokenGrid& grid, const StateSpaceCase& s) {
  return {"ssm2d_kernel",
          fmt::format("{}, {} outputs, {} x {} {}states{}", to_string(grid), s.outputs, s.groups,
                      s.states, s.complex ? "complex " : "",
                      s.through > 0 ? fmt::format(", {} through", s.through) : ""),
          [=](Tape& tape, CaseInputs& in) {
            const std::int64_t planes = s.complex ? 4 : 2;
            Parameter* const omega =
                s.through > 0 ? &in.parameter("omega", {s.through}, 1.0) : nullptr;
            return ssm2d_kernel(tape, in.parameter("a", {2 * planes, s.groups, s.states}, 1.0),
                                in.parameter("b", {planes, s.groups, s.states}, 1.0),
                                in.parameter("c", {planes, s.outputs, s.states}, 1.0), omega, grid);
          }};
}

OpCase grid_convolution_case(std::int64_t batch, const TokenGrid& grid, std::int64_t channels,
                             std::int64_t directions) {
  return {
      "grid_convolution",
      fmt::format("{} x {}, {} wide, {} directions", batch, to_string(grid), channels, directions),
      [=](Tape& tape, CaseInputs& in) {
        // A kernel is float32 where the tape is bf16, as the op that makes it gives it.
        const Tensor kernel =
            in.tensor("kernel", {grid.tokens(), directions * channels}, in.accurate_dtype(), 0.5);
        return grid_convolution(tape, in.leaf(tape, "x", {batch, grid.tokens(), channels}),
                                tape.leaf(kernel), grid);
      }};
}

// Both, so that the kernel's gradient is looked at too.
OpCase spatial_layer_case(std::int64_t batch, const TokenGrid& grid, const StateSpaceCase& s) {
  return {"spatial_layer",
          fmt::format("{} x {}, {} of {}, {} x {} {}states", batch, to_string(grid), s.outputs,
                      s.through, s.groups, s.states, s.complex ? "complex " : ""),
          [=](Tape& tape, CaseInputs& in) {
            const Var kernel = ssm2d_kernel_case(grid, s).apply(tape, in);
            return grid_convolution(tape, in.leaf(tape, "x", {batch, grid.tokens(), s.through}),
                                    kernel, grid);
          }};
}

void add_state_space_cases(OpCases& cases) {
  for (const bool complex : {false, true}) {
    cases.push_back(ssm2d_kernel_case({1, 1}, {4, 2, 3, complex}));
    cases.push_back(ssm2d_kernel_case({3, 5}, {12, 4, 5, complex, 6}));
    cases.push_back(ssm2d_kernel_case({6, 6}, {26, 2, 16, complex}));
    cases.push_back(spatial_layer_case(2, {4, 6}, {20, 4, 3, complex, 10}));
    cases.push_back(spatial_layer_case(3, {3, 3}, {68, 4, 4, complex, 17}));
  }
  for (const std::int64_t directions : {2, 4}) {
    cases.push_back(grid_convolution_case(1, {1, 1}, 3, directions));
    cases.push_back(grid_convolution_case(2, {4, 4}, 17, directions));
    cases.push_back(grid_convolution_case(2, {5, 9}, 24, directions));
  }
}

}  // namespace edt
