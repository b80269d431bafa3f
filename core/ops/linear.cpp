#include "core/ops/linear.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

Shape with_columns(const Shape& shape, std::int64_t columns) {
  Shape result;
  for (int i = 0; i + 1 < shape.rank(); ++i) result.append(shape[i]);
  result.append(columns);
  return result;
}

}  // namespace

void LinearKernels::linears_forward(const Tensor& x, std::span<const LinearMap> maps) {
  for (const LinearMap& map : maps) linear_forward(x, map.weight, map.bias, {}, map.y);
}

void check_linear(const Var& x, const Parameter& weight, const Parameter* bias) {
  require(x.shape().columns() == weight.shape.elements() / weight.shape[0], "linear",
          "{}: input is {}, weight is {}", weight.name, to_string(x.shape()),
          to_string(weight.shape));
  if (bias != nullptr) check_shape("linear", bias->name, bias->shape, {weight.shape[0]});
}

Shape linear_shape(const Var& x, const Parameter& weight) {
  return with_columns(x.shape(), weight.shape[0]);
}

double linear_flops(const Var& x, const Parameter& weight) {
  return 2.0 * static_cast<double>(x.shape().rows()) * static_cast<double>(weight.shape.elements());
}

Var linear(Tape& tape, const Var& x, Parameter& weight, Parameter* bias, const Tensor& positions) {
  check_linear(x, weight, bias);
  if (positions.defined()) {
    require(positions.shape.columns() == weight.shape[0] &&
                x.shape().rows() % positions.shape.rows() == 0,
            "linear", "{}: position table is {}, weight is {}, input is {}", weight.name,
            to_string(positions.shape), to_string(weight.shape), to_string(x.shape()));
  }
  const Var y = tape.make(linear_shape(x, weight));
  {
    const WeightUse used(tape, weight);
    Profiler::Scope scope(tape.profiler(), "linear.forward", linear_flops(x, weight));
    backend_of(tape).linear_forward(
        as_matrix(x.tensor()), as_weight(used.value()), bias ? tape.read(*bias) : Tensor{},
        positions.defined() ? as_matrix(positions) : Tensor{}, as_matrix(y.tensor()));
  }
  record_linear(tape, y, x, weight, bias);
  return y;
}

void record_linear(Tape& tape, const Var& y, const Var& x, Parameter& weight, Parameter* bias) {
  const double flops = linear_flops(x, weight);
  tape.record(
      "linear", y, {&weight, bias, scale_of(weight)},
      [x, dx = x.grad(), &weight, bias, flops](Tape& t, OutputGrad& dy) {
        const Tensor d = as_matrix(dy.tensor());
        WeightUse used(t, weight);
        if (dx) {
          Profiler::Scope scope(t.profiler(), "linear.backward_input", flops);
          backend_of(t).linear_backward_input(d, as_weight(used.value()), as_matrix(t.target(dx)));
        }
        {
          Profiler::Scope scope(t.profiler(), "linear.backward_weight", flops);
          backend_of(t).linear_backward_weight(d, as_matrix(x.tensor()), as_weight(used.gradient()),
                                               bias ? t.target(*bias) : GradTarget{});
        }
        used.finish();
      });
}

Var concat_linear(Tape& tape, const Var& a, const Var& b, Parameter& weight, Parameter& bias) {
  EDT_ASSERT(weight.ternary == nullptr);
  const Tensor w = tape.read(weight);
  require(w.shape.rank() == 2 && a.shape().columns() + b.shape().columns() == w.shape[1] &&
              a.shape().rows() == b.shape().rows(),
          "concat_linear", "{}: inputs are {} and {}, weight is {}", weight.name,
          to_string(a.shape()), to_string(b.shape()), to_string(w.shape));
  check_shape("concat_linear", bias.name, bias.shape, {w.shape[0]});
  Var y = tape.make(with_columns(a.shape(), w.shape[0]));
  const double flops = linear_flops(a, weight);
  {
    Profiler::Scope scope(tape.profiler(), "linear.forward", flops);
    backend_of(tape).concat_linear_forward(as_matrix(a.tensor()), as_matrix(b.tensor()), w,
                                           tape.read(bias), as_matrix(y.tensor()));
  }
  tape.record("concat_linear", y, {&weight, &bias},
              [a, b, da = a.grad(), db = b.grad(), &weight, &bias, flops](Tape& t, OutputGrad& dy) {
                const Tensor d = as_matrix(dy.tensor());
                if (da || db) {
                  Profiler::Scope scope(t.profiler(), "linear.backward_input", flops);
                  // In this order: where both inputs are one value, the second adds to the first.
                  const GradTarget to_a = as_matrix(t.target(da)), to_b = as_matrix(t.target(db));
                  backend_of(t).concat_linear_backward_input(d, t.read(weight), to_a, to_b);
                }
                Profiler::Scope scope(t.profiler(), "linear.backward_weight", flops);
                backend_of(t).concat_linear_backward_weight(d, as_matrix(a.tensor()),
                                                            as_matrix(b.tensor()), t.target(weight),
                                                            t.target(bias));
              });
  return y;
}

}  // namespace edt
