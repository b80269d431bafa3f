#include "core/ops/state_space.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check_parameters(const Parameter& a, const Parameter& b, const Parameter& c,
                      const Parameter* omega) {
  constexpr auto kOp = "ssm2d_kernel";
  require(b.shape.rank() == 3 && (b.shape[0] == 2 || b.shape[0] == 4), kOp,
          "{} is {}, expected [2 or 4, groups, states]", b.name, to_string(b.shape));
  check_shape(kOp, a.name, a.shape, {2 * b.shape[0], b.shape[1], b.shape[2]});
  require(c.shape.rank() == 3 && c.shape[1] % b.shape[1] == 0, kOp,
          "{} is {}, and {} groups do not divide its channels", c.name, to_string(c.shape),
          b.shape[1]);
  check_shape(kOp, c.name, c.shape, {b.shape[0], c.shape[1], b.shape[2]});
  if (omega == nullptr) return;
  require(omega->shape.rank() == 1 && c.shape[1] % omega->shape[0] == 0, kOp,
          "{} is {}, {} channels of {}", omega->name, to_string(omega->shape), c.name, c.shape[1]);
}

}  // namespace

Var ssm2d_kernel(Tape& tape, Parameter& a, Parameter& b, Parameter& c, Parameter* omega,
                 const TokenGrid& grid) {
  check_parameters(a, b, c, omega);
  const DType accurate = tape.accurate_dtype();
  const Var kernel = tape.make({grid.tokens(), c.shape[1]}, accurate);
  const Var states = tape.make({grid.tokens(), b.shape[0], b.shape[1], b.shape[2]}, accurate);
  const double flops = 2.0 * static_cast<double>(grid.tokens() * c.shape.elements());
  {
    const Profiler::Scope scope(tape.profiler(), "ssm2d_kernel.forward", flops);
    backend_of(tape).ssm2d_kernel_forward(tape.read(a), tape.read(b), tape.read(c),
                                          omega == nullptr ? Tensor{} : tape.read(*omega), grid,
                                          states.tensor(), kernel.tensor());
  }
  tape.record("ssm2d_kernel", kernel, {&a, &b, &c, omega},
              [states, &a, &b, &c, omega, grid, flops](Tape& t, OutputGrad& dkernel) {
                const Profiler::Scope scope(t.profiler(), "ssm2d_kernel.backward", 2 * flops);
                backend_of(t).ssm2d_kernel_backward(
                    dkernel.tensor(), t.read(a), t.read(b), t.read(c), states.tensor(), grid,
                    t.target(a), t.target(b), t.target(c),
                    omega == nullptr ? GradTarget{} : t.target(*omega));
              });
  return kernel;
}

Var grid_convolution(Tape& tape, const Var& x, const Var& kernel, const TokenGrid& grid) {
  constexpr auto kOp = "grid_convolution";
  require(x.shape().rank() == 3, kOp, "input is {}, expected [B, T, D]", to_string(x.shape()));
  check_grid(kOp, grid, x.shape()[1]);
  const std::int64_t channels = x.shape()[2];
  require(kernel.shape() == Shape({grid.tokens(), 2 * channels}) ||
              kernel.shape() == Shape({grid.tokens(), 4 * channels}),
          kOp, "kernel is {}, expected [{}, 2 or 4 times {}]", to_string(kernel.shape()),
          grid.tokens(), channels);
  const Var y = tape.make(x.shape());
  const double flops =
      2.0 * static_cast<double>(x.shape()[0] * kernel.shape()[1]) * grid_pairs(grid);
  {
    const Profiler::Scope scope(tape.profiler(), "grid_convolution.forward", flops);
    backend_of(tape).grid_convolution_forward(x.tensor(), kernel.tensor(), grid, y.tensor());
  }
  tape.record(kOp, y, {}, [x, kernel, grid, flops](Tape& t, OutputGrad& dy) {
    const Profiler::Scope scope(t.profiler(), "grid_convolution.backward", 2 * flops);
    const GradTarget dx = t.target(x.grad()), dkernel = t.target(kernel.grad());
    backend_of(t).grid_convolution_backward(dy.tensor(), x.tensor(), kernel.tensor(), grid, dx,
                                            dkernel);
  });
  return y;
}

}  // namespace edt
