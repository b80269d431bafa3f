#include "core/ops/linear.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

double matmul_flops(const Tensor& x, const Tensor& weight) {
  return 2.0 * static_cast<double>(x.shape.rows()) * static_cast<double>(weight.elements());
}

}  // namespace

Var linear(Tape& tape, const Var& x, Parameter& weight, Parameter* bias, const Tensor& positions) {
  const Tensor w = as_weight(tape.read(weight));
  require(x.shape().columns() == w.shape[1], "linear", "{}: input is {}, weight is {}", weight.name,
          to_string(x.shape()), to_string(weight.shape));
  if (bias != nullptr) check_shape("linear", bias->name, bias->shape, {w.shape[0]});
  if (positions.defined()) {
    require(
        positions.shape.columns() == w.shape[0] && x.shape().rows() % positions.shape.rows() == 0,
        "linear", "{}: position table is {}, weight is {}, input is {}", weight.name,
        to_string(positions.shape), to_string(weight.shape), to_string(x.shape()));
  }
  Shape out;
  for (int i = 0; i + 1 < x.shape().rank(); ++i) out.append(x.shape()[i]);
  out.append(w.shape[0]);
  Var y = tape.make(out);
  const double flops = matmul_flops(x.tensor(), w);
  {
    Profiler::Scope scope(tape.profiler(), "linear.forward", flops);
    backend_of(tape).linear_forward(as_matrix(x.tensor()), w, bias ? tape.read(*bias) : Tensor{},
                                    positions.defined() ? as_matrix(positions) : Tensor{},
                                    as_matrix(y.tensor()));
  }
  tape.record("linear", y, {&weight, bias},
              [x, dx = x.grad(), &weight, bias, flops](Tape& t, OutputGrad& dy) {
                const Tensor d = as_matrix(dy.tensor());
                const Tensor value = as_weight(t.read(weight));
                if (dx) {
                  Profiler::Scope scope(t.profiler(), "linear.backward_input", flops);
                  backend_of(t).linear_backward_input(d, value, as_matrix(t.target(dx)));
                }
                Profiler::Scope scope(t.profiler(), "linear.backward_weight", flops);
                backend_of(t).linear_backward_weight(d, as_matrix(x.tensor()),
                                                     as_weight(t.target(weight)),
                                                     bias ? t.target(*bias) : GradTarget{});
              });
  return y;
}

}  // namespace edt
