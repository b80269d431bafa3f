#include "core/ops/activation.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

Var apply(Tape& tape, const Var& x, Activation kind, std::string_view name) {
  Var y = tape.make(x.shape());
  {
    Profiler::Scope scope(tape.profiler(), "activation.forward");
    backend_of(tape).activation_forward(kind, x.tensor(), y.tensor());
  }
  if (!x.needs_grad()) return y;
  tape.record(name, y, {}, [x, kind](Tape& t, OutputGrad& dy) {
    Profiler::Scope scope(t.profiler(), "activation.backward");
    backend_of(t).activation_backward(kind, dy.tensor(), x.tensor(), t.target(x.grad()));
  });
  return y;
}

}  // namespace

Var gelu(Tape& tape, const Var& x) { return apply(tape, x, Activation::kGeluTanh, "gelu"); }

Var silu(Tape& tape, const Var& x) { return apply(tape, x, Activation::kSilu, "silu"); }

Var relu(Tape& tape, const Var& x) { return apply(tape, x, Activation::kRelu, "relu"); }

Var silu_gate(Tape& tape, const Var& h) {
  const Shape from = h.shape();
  require(from.columns() % 2 == 0, "silu_gate", "input is {}, whose columns have no halves",
          to_string(from));
  Shape to;
  for (int axis = 0; axis + 1 < from.rank(); ++axis) to.append(from[axis]);
  to.append(from.columns() / 2);
  Var y = tape.make(to);
  {
    Profiler::Scope scope(tape.profiler(), "silu_gate.forward");
    backend_of(tape).silu_gate_forward(as_matrix(h.tensor()), as_matrix(y.tensor()));
  }
  tape.record("silu_gate", y, {}, [h](Tape& t, OutputGrad& dy) {
    Profiler::Scope scope(t.profiler(), "silu_gate.backward");
    backend_of(t).silu_gate_backward(as_matrix(dy.tensor()), as_matrix(h.tensor()),
                                     as_matrix(t.target(h.grad())));
  });
  return y;
}

Var add(Tape& tape, const Var& a, const Var& b) {
  require(a.dtype() == tape.dtype() && b.dtype() == tape.dtype(), "add",
          "{} and {} on a tape of {}", name_of(a.dtype()), name_of(b.dtype()),
          name_of(tape.dtype()));
  check_shape("add", "second operand", b.shape(), a.shape());
  Var y = tape.make(a.shape());
  {
    Profiler::Scope scope(tape.profiler(), "add.forward");
    backend_of(tape).add_forward(a.tensor(), b.tensor(), y.tensor());
  }
  if (!a.needs_grad() && !b.needs_grad()) return y;
  tape.record("add", y, {}, [da = a.grad(), db = b.grad()](Tape& t, OutputGrad& dy) {
    Profiler::Scope scope(t.profiler(), "add.backward");
    if (da && db) {
      const GradTarget target = t.target(da);
      if (target.accumulate) {
        t.device().add_into(dy.tensor(), target.tensor);
      } else {
        t.device().copy(dy.tensor(), target.tensor);
      }
    }
    dy.give_to(db ? db : da);
  });
  return y;
}

}  // namespace edt
