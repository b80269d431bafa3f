#include "core/ops/repeat.h"

#include "core/base/error.h"

namespace edt {
namespace {

Tensor copy_of(const Tensor& repeated, std::int64_t batch, std::int64_t index) {
  return repeated.slice(index * batch, (index + 1) * batch);
}

void sum_copies(Tape& tape, const Tensor& dy, std::int64_t times, const GradTarget& dx) {
  const std::int64_t batch = dx.tensor.shape[0];
  for (std::int64_t i = 0; i < times; ++i) {
    const Tensor part = copy_of(dy, batch, i);
    if (i == 0 && !dx.accumulate) {
      tape.device().copy(part, dx.tensor);
    } else {
      tape.device().add_into(part, dx.tensor);
    }
  }
}

}  // namespace

Var repeat_batch(Tape& tape, const Var& x, std::int64_t times) {
  const Shape& in = x.shape();
  require(in.rank() > 0 && times > 0, "repeat_batch", "input is {}, to be repeated {} times",
          to_string(in), times);
  Shape out{times * in[0]};
  for (int axis = 1; axis < in.rank(); ++axis) out.append(in[axis]);
  Var y = tape.make(out, x.dtype());
  {
    Profiler::Scope scope(tape.profiler(), "repeat.forward");
    for (std::int64_t i = 0; i < times; ++i) {
      tape.device().copy(x.tensor(), copy_of(y.tensor(), in[0], i));
    }
  }
  if (!x.needs_grad()) return y;
  tape.record("repeat_batch", y, {}, [dx = x.grad(), times](Tape& t, OutputGrad& dy) {
    Profiler::Scope scope(t.profiler(), "repeat.backward");
    sum_copies(t, dy.tensor(), times, t.target(dx));
  });
  return y;
}

}  // namespace edt
