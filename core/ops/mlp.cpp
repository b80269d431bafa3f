#include "core/ops/mlp.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

MlpWeights read(Tape& tape, const MlpParameters& p) {
  return {tape.read(p.fc1), tape.read(p.fc1_bias), tape.read(p.fc2),
          p.fc2_bias ? tape.read(*p.fc2_bias) : Tensor{}};
}

}  // namespace

Var mlp(Tape& tape, const Var& x, const MlpParameters& p) {
  const std::int64_t width = x.shape().columns();
  const std::int64_t hidden_width = p.fc1.shape[0];
  check_shape("mlp", p.fc1.name, p.fc1.shape, {hidden_width, width});
  check_shape("mlp", p.fc1_bias.name, p.fc1_bias.shape, {hidden_width});
  check_shape("mlp", p.fc2.name, p.fc2.shape, {width, hidden_width});
  if (p.fc2_bias != nullptr) check_shape("mlp", p.fc2_bias->name, p.fc2_bias->shape, {width});

  const std::int64_t rows = x.shape().rows();
  const double flops =
      4.0 * static_cast<double>(rows) * static_cast<double>(p.fc1.shape.elements());
  Var hidden = tape.recording() ? tape.make({rows, hidden_width}) : Var{};
  Var y = tape.make(x.shape());
  {
    Profiler::Scope scope(tape.profiler(), "mlp.forward", flops);
    backend_of(tape).mlp_forward(as_matrix(x.tensor()), read(tape, p),
                                 hidden ? hidden.tensor() : Tensor{}, as_matrix(y.tensor()));
  }
  tape.record("mlp", y, {&p.fc1, &p.fc1_bias, &p.fc2, p.fc2_bias},
              [x, dx = x.grad(), hidden, p, flops](Tape& t, OutputGrad& dy) {
                Profiler::Scope scope(t.profiler(), "mlp.backward", 2 * flops);
                backend_of(t).mlp_backward(as_matrix(dy.tensor()), as_matrix(x.tensor()),
                                           hidden.tensor(), read(t, p), as_matrix(t.target(dx)),
                                           {t.target(p.fc1), t.target(p.fc1_bias), t.target(p.fc2),
                                            p.fc2_bias ? t.target(*p.fc2_bias) : GradTarget{}});
              });
  return y;
}

}  // namespace edt
