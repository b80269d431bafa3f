#include "core/ops/attention_map.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {

Var attention_map(Tape& tape, const Var& x) {
  const Shape shape = x.shape();
  require(shape.rank() == 3, "attention_map", "input is {}, expected [B, T, D]", to_string(shape));
  Var map = tape.make({shape[0], shape[1], 1}, tape.accurate_dtype());
  const Var norms = tape.make({shape[0]}, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "attention_map.forward");
    backend_of(tape).attention_map_forward(x.tensor(), map.tensor(), norms.tensor());
  }
  if (!x.needs_grad()) return map;
  tape.record("attention_map", map, {}, [x, map, norms](Tape& t, OutputGrad& dmap) {
    Profiler::Scope scope(t.profiler(), "attention_map.backward");
    backend_of(t).attention_map_backward(dmap.tensor(), x.tensor(), map.tensor(), norms.tensor(),
                                         t.target(x.grad()));
  });
  return map;
}

}  // namespace edt
