#include "core/ops/bias.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {

Var add_bias(Tape& tape, const Var& x, Parameter& bias) {
  check_shape("add_bias", bias.name, bias.shape, {x.shape().columns()});
  Var y = tape.make(x.shape());
  {
    Profiler::Scope scope(tape.profiler(), "bias.forward");
    backend_of(tape).add_bias_forward(as_matrix(x.tensor()), tape.read(bias),
                                      as_matrix(y.tensor()));
  }
  tape.record("add_bias", y, {&bias}, [dx = x.grad(), &bias](Tape& t, OutputGrad& dy) {
    {
      Profiler::Scope scope(t.profiler(), "bias.backward");
      backend_of(t).add_bias_backward(as_matrix(dy.tensor()), t.target(bias));
    }
    dy.give_to(dx);
  });
  return y;
}

}  // namespace edt
