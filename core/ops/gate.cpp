#include "core/ops/gate.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {

Var gate_residual(Tape& tape, const Var& x, const Var& modulation, int gate_chunk, const Var& h) {
  check_shape("gate_residual", "branch", h.shape(), x.shape());
  require(x.shape().rank() == 3, "gate_residual", "input is {}, expected [B, T, D]",
          to_string(x.shape()));
  const std::int64_t width = x.shape()[2];
  require(modulation.shape().rank() == 2 && modulation.shape()[0] == x.shape()[0] &&
              modulation.shape()[1] >= (gate_chunk + 1) * width,
          "gate_residual", "modulation is {}, input is {}, chunk {} is needed",
          to_string(modulation.shape()), to_string(x.shape()), gate_chunk);
  const std::int64_t column = gate_chunk * width;
  Var y = tape.make(x.shape());
  {
    Profiler::Scope scope(tape.profiler(), "gate_residual.forward");
    backend_of(tape).gate_residual_forward(x.tensor(), {modulation.tensor(), column, width},
                                           h.tensor(), y.tensor());
  }
  tape.record("gate_residual", y, {},
              [dx = x.grad(), modulation, h, column, width](Tape& t, OutputGrad& dy) {
                Profiler::Scope scope(t.profiler(), "gate_residual.backward");
                backend_of(t).gate_residual_backward(
                    dy.tensor(), {modulation.tensor(), column, width}, h.tensor(),
                    t.target(h.grad()), {t.accumulator(modulation.grad()), column, width});
                dy.give_to(dx);
              });
  return y;
}

}  // namespace edt
