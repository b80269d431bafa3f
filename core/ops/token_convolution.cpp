#include "core/ops/token_convolution.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check_kernel(std::string_view op, const Var& x, const Parameter& weight, const Parameter& bias,
                  const TokenGrid& grid, std::int64_t inputs) {
  require(x.shape().rank() == 3, op, "input is {}, expected [B, T, C]", to_string(x.shape()));
  check_grid(op, grid, x.shape()[1]);
  check_shape(op, weight.name, weight.shape, {weight.shape[0], inputs, 3, 3});
  check_shape(op, bias.name, bias.shape, {weight.shape[0]});
}

// The weight [N, C, 3, 3] place by place: [9 N, C], as what one product multiplies with.
Var weight_by_tap(Tape& tape, Parameter& weight) {
  const std::int64_t outputs = weight.shape[0], pairs = weight.shape.elements() / kTaps;
  const Tensor& value = tape.read(weight);
  Var by_tap = tape.make({kTaps * outputs, pairs / outputs}, value.dtype);
  backend_of(tape).swap_leading_axes(value.reshaped({pairs, kTaps, 1}),
                                     {by_tap.tensor().reshaped({kTaps, pairs, 1}), false});
  return by_tap;
}

// dy back through both steps.
void convolve_backward(Tape& t, const Tensor& dy, const Var& x, Parameter& weight, Parameter& bias,
                       const TokenGrid& grid, double flops) {
  const std::int64_t outputs = weight.shape[0], pairs = weight.shape.elements() / kTaps;
  Backend& backend = backend_of(t);
  backend.add_bias_backward(as_matrix(dy), t.target(bias));
  const Var dz = t.make({x.shape()[0], x.shape()[1], kTaps * outputs});
  backend.gather_taps_backward(dy, grid, dz.tensor());
  const Tensor d = as_matrix(dz.tensor());
  if (const GradRef dx = x.grad()) {
    const Profiler::Scope scope(t.profiler(), "token_convolution.backward_input", flops);
    const Var by_tap = weight_by_tap(t, weight);
    backend.linear_backward_input(d, by_tap.tensor(), as_matrix(t.target(dx)));
  }
  const Profiler::Scope scope(t.profiler(), "token_convolution.backward_weight", flops);
  const Var dweight = t.make({kTaps * outputs, pairs / outputs}, t.accurate_dtype());
  backend.linear_backward_weight(d, as_matrix(x.tensor()), {dweight.tensor(), false}, {});
  const GradTarget to = t.target(weight);
  backend.swap_leading_axes(dweight.tensor().reshaped({kTaps, pairs, 1}),
                            {to.tensor.reshaped({pairs, kTaps, 1}), to.accumulate});
}

}  // namespace

Var token_convolution(Tape& tape, const Var& x, Parameter& weight, Parameter& bias,
                      const TokenGrid& grid) {
  check_kernel("token_convolution", x, weight, bias, grid, x.shape()[2]);
  const std::int64_t batch = x.shape()[0], tokens = x.shape()[1], outputs = weight.shape[0];
  const double flops =
      2.0 * static_cast<double>(batch * tokens) * static_cast<double>(weight.shape.elements());
  const Var y = tape.make({batch, tokens, outputs});
  {
    const Profiler::Scope scope(tape.profiler(), "token_convolution.forward", flops);
    const Var by_tap = weight_by_tap(tape, weight), z = tape.make({batch, tokens, kTaps * outputs});
    backend_of(tape).linear_forward(as_matrix(x.tensor()), by_tap.tensor(), {}, {},
                                    as_matrix(z.tensor()));
    backend_of(tape).gather_taps_forward(z.tensor(), tape.read(bias), grid, y.tensor());
  }
  tape.record("token_convolution", y, {&weight, &bias},
              [x, &weight, &bias, grid, flops](Tape& t, OutputGrad& dy) {
                convolve_backward(t, dy.tensor(), x, weight, bias, grid, flops);
              });
  return y;
}

Var depthwise_convolution(Tape& tape, const Var& x, Parameter& weight, Parameter& bias,
                          const TokenGrid& grid, std::int64_t stride) {
  constexpr auto kOp = "depthwise_convolution";
  check_kernel(kOp, x, weight, bias, grid, 1);
  check_shape(kOp, weight.name, weight.shape, {x.shape()[2], 1, 3, 3});
  require(stride >= 1, kOp, "stride is {}", stride);
  const std::int64_t tokens = strided(grid, stride).tokens();
  const Var y = tape.make({x.shape()[0], tokens, x.shape()[2]});
  const double flops = 2.0 * kTaps * static_cast<double>(y.shape().elements());
  {
    const Profiler::Scope scope(tape.profiler(), "depthwise_convolution.forward", flops);
    backend_of(tape).depthwise_forward(x.tensor(), tape.read(weight), tape.read(bias), grid, stride,
                                       y.tensor());
  }
  tape.record(
      "depthwise_convolution", y, {&weight, &bias},
      [x, dx = x.grad(), &weight, &bias, grid, stride, flops](Tape& t, OutputGrad& dy) {
        const Profiler::Scope scope(t.profiler(), "depthwise_convolution.backward", 2 * flops);
        backend_of(t).depthwise_backward(dy.tensor(), x.tensor(), t.read(weight), grid, stride,
                                         t.target(dx), t.target(weight), t.target(bias));
      });
  return y;
}

}  // namespace edt
