#include "core/ops/text.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check_text(std::string_view op, const Tensor& features, const Tensor& lengths) {
  require(features.shape.rank() == 3, op, "features are {}, expected [B, L, C]",
          to_string(features.shape));
  check_shape(op, "lengths of texts", lengths.shape, {features.shape[0]});
}

}  // namespace

Var text_tokens(Tape& tape, const Tensor& features, const Tensor& lengths) {
  check_text("text_tokens", features, lengths);
  Var out = tape.make(features.shape);
  const Profiler::Scope scope(tape.profiler(), "text.forward");
  backend_of(tape).text_tokens(features, lengths, out.tensor());
  return out;
}

Var text_mean(Tape& tape, const Tensor& features, const Tensor& lengths) {
  check_text("text_mean", features, lengths);
  Var out = tape.make({features.shape[0], features.shape[2]});
  const Profiler::Scope scope(tape.profiler(), "text.forward");
  backend_of(tape).text_mean(features, lengths, out.tensor());
  return out;
}

}  // namespace edt
