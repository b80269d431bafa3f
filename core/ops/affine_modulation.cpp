#include "core/ops/affine_modulation.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check_table(const Var& m, const Parameter& table) {
  require(table.shape.elements() == m.shape()[1], "affine_modulation",
          "{} has {} elements, the modulation {} columns", table.name, table.shape.elements(),
          m.shape()[1]);
}

}  // namespace

Var affine_modulation(Tape& tape, const Var& m, Parameter& scale, Parameter& shift) {
  require(m.shape().rank() == 2, "affine_modulation", "input is {}, expected [M, N]",
          to_string(m.shape()));
  check_table(m, scale);
  check_table(m, shift);
  Var y = tape.make(m.shape());
  {
    const Profiler::Scope scope(tape.profiler(), "affine_modulation.forward");
    backend_of(tape).affine_modulation_forward(m.tensor(), tape.read(scale), tape.read(shift),
                                               y.tensor());
  }
  tape.record("affine_modulation", y, {&scale, &shift},
              [m, dm = m.grad(), &scale, &shift](Tape& t, OutputGrad& dy) {
                const Profiler::Scope backward(t.profiler(), "affine_modulation.backward");
                backend_of(t).affine_modulation_backward(dy.tensor(), m.tensor(), t.read(scale),
                                                         t.target(dm), t.target(scale),
                                                         t.target(shift));
              });
  return y;
}

}  // namespace edt
