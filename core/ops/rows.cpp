#include "core/ops/rows.h"

#include "core/base/error.h"

namespace edt {
namespace {

Shape with_rows(const Shape& shape, std::int64_t rows) {
  Shape result{rows};
  for (int axis = 1; axis < shape.rank(); ++axis) result.append(shape[axis]);
  return result;
}

// to (+)= from
void give(Device& device, const Tensor& from, const GradTarget& to) {
  if (!to.wanted()) return;
  to.accumulate ? device.add_into(from, to.tensor) : device.copy(from, to.tensor);
}

}  // namespace

Var take_rows(Tape& tape, const Var& x, std::int64_t begin, std::int64_t end) {
  require(x.shape().rank() > 0 && 0 <= begin && begin < end && end <= x.shape()[0], "take_rows",
          "rows {} to {} of {} are asked for", begin, end, to_string(x.shape()));
  Var y = tape.make(with_rows(x.shape(), end - begin), x.dtype());
  {
    Profiler::Scope scope(tape.profiler(), "rows.forward");
    tape.device().copy(x.tensor().slice(begin, end), y.tensor());
  }
  if (!x.needs_grad()) return y;
  tape.record("take_rows", y, {}, [dx = x.grad(), begin, end](Tape& t, OutputGrad& dy) {
    Profiler::Scope scope(t.profiler(), "rows.backward");
    t.device().add_into(dy.tensor(), t.accumulator(dx).slice(begin, end));
  });
  return y;
}

Var join_rows(Tape& tape, const Var& a, const Var& b) {
  const std::int64_t first = a.shape()[0], rows = first + b.shape()[0];
  require(with_rows(a.shape(), rows) == with_rows(b.shape(), rows), "join_rows",
          "inputs are {} and {}", to_string(a.shape()), to_string(b.shape()));
  Var y = tape.make(with_rows(a.shape(), rows), a.dtype());
  {
    Profiler::Scope scope(tape.profiler(), "rows.forward");
    tape.device().copy(a.tensor(), y.tensor().slice(0, first));
    tape.device().copy(b.tensor(), y.tensor().slice(first, rows));
  }
  if (!a.needs_grad() && !b.needs_grad()) return y;
  tape.record("join_rows", y, {},
              [da = a.grad(), db = b.grad(), first, rows](Tape& t, OutputGrad& dy) {
                Profiler::Scope scope(t.profiler(), "rows.backward");
                const Tensor d = dy.tensor();
                give(t.device(), d.slice(0, first), t.target(da));
                give(t.device(), d.slice(first, rows), t.target(db));
              });
  return y;
}

}  // namespace edt
