#include "core/ops/rms_norm.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {

Var rms_norm(Tape& tape, const Var& x, Parameter& weight) {
  require(x.shape().rank() == 2, "rms_norm", "input is {}, expected [M, N]", to_string(x.shape()));
  check_shape("rms_norm", weight.name, weight.shape, {x.shape()[1]});
  Var y = tape.make(x.shape());
  Var factors = tape.make({x.shape()[0]}, tape.accurate_dtype());
  {
    const Profiler::Scope scope(tape.profiler(), "rms_norm.forward");
    backend_of(tape).rms_norm_forward(x.tensor(), tape.read(weight), y.tensor(), factors.tensor());
  }
  tape.record("rms_norm", y, {&weight},
              [x, dx = x.grad(), &weight, factors](Tape& t, OutputGrad& dy) {
                const Profiler::Scope scope(t.profiler(), "rms_norm.backward");
                backend_of(t).rms_norm_backward(dy.tensor(), x.tensor(), t.read(weight),
                                                factors.tensor(), t.target(dx), t.target(weight));
              });
  return y;
}

}  // namespace edt
