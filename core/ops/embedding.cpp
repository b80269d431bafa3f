#include "core/ops/embedding.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {

Var timestep_features(Tape& tape, const Tensor& t, std::int64_t features) {
  require(features % 2 == 0, "timestep_features", "{} features, an even number is needed",
          features);
  Var out = tape.make({t.shape[0], features});
  Profiler::Scope scope(tape.profiler(), "embedding.forward");
  backend_of(tape).timestep_features(t, out.tensor());
  return out;
}

Var label_embedding(Tape& tape, const Tensor& labels, Parameter& table) {
  Var out = tape.make({labels.shape[0], table.shape[1]});
  {
    Profiler::Scope scope(tape.profiler(), "embedding.forward");
    backend_of(tape).label_forward(labels, tape.read(table), out.tensor());
  }
  tape.record("label_embedding", out, {&table}, [labels, &table](Tape& t, OutputGrad& dy) {
    Profiler::Scope scope(t.profiler(), "embedding.backward");
    backend_of(t).label_backward(dy.tensor(), labels, t.target(table));
  });
  return out;
}

}  // namespace edt
