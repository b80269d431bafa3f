#include "core/ops/bias.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {

Var add_bias(Tape& tape, const Var& x, Parameter& bias) {
  const Shape row{x.shape().columns()};
  require(bias.shape.elements() == row.elements(), "add_bias", "{} is {}, the input {}", bias.name,
          to_string(bias.shape), to_string(x.shape()));
  Var y = tape.make(x.shape());
  {
    Profiler::Scope scope(tape.profiler(), "bias.forward");
    backend_of(tape).add_bias_forward(as_matrix(x.tensor()), tape.read(bias).reshaped(row),
                                      as_matrix(y.tensor()));
  }
  tape.record("add_bias", y, {&bias}, [dx = x.grad(), &bias, row](Tape& t, OutputGrad& dy) {
    {
      Profiler::Scope scope(t.profiler(), "bias.backward");
      const GradTarget to = t.target(bias);
      backend_of(t).add_bias_backward(as_matrix(dy.tensor()),
                                      {to.tensor.reshaped(row), to.accumulate});
    }
    dy.give_to(dx);
  });
  return y;
}

}  // namespace edt
