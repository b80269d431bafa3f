#include "core/ops/attention.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

Tensor by_head(const Tensor& qkv, std::int64_t heads) {
  return qkv.reshaped({qkv.shape[0], qkv.shape[1], 3, heads, qkv.shape[2] / (3 * heads)});
}

void check_inputs(const Var& qkv, const Parameter& table, const Tensor& modulation) {
  require(qkv.shape().rank() == 3 && qkv.shape()[2] % (3 * table.shape[1]) == 0, "attention",
          "{}: qkv is {}, which {} heads do not divide", table.name, to_string(qkv.shape()),
          table.shape[1]);
  const std::int64_t tokens = qkv.shape()[1];
  const std::int64_t span = 2 * grid_side("attention", tokens) - 1;
  require(table.shape[0] >= span * span, "attention", "{}: table is {}, {} tokens need {} rows",
          table.name, to_string(table.shape), tokens, span * span);
  if (modulation.defined())
    check_shape("attention", "modulation matrix", modulation.shape, {tokens, tokens});
}

}  // namespace

Var attention(Tape& tape, const Var& qkv, Parameter& table, const Tensor& modulation) {
  check_inputs(qkv, table, modulation);
  const std::int64_t batch = qkv.shape()[0], tokens = qkv.shape()[1], width = qkv.shape()[2] / 3;
  const std::int64_t heads = table.shape[1];
  // q k^T and p v: 2 T T D multiply-adds each sample.
  const double flops = 4.0 * static_cast<double>(batch * tokens * tokens * width);
  Var out = tape.make({batch, tokens, width});
  if (modulation.defined()) {
    require(!tape.recording(), "attention", "the modulation matrix is for inference: {}",
            table.name);
    Profiler::Scope scope(tape.profiler(), "attention.modulated_forward", flops);
    backend_of(tape).attention_modulated_forward(by_head(qkv.tensor(), heads), tape.read(table),
                                                 modulation, out.tensor());
    return out;
  }
  Var lse = tape.recording() ? tape.make({batch, heads, tokens}, tape.accurate_dtype()) : Var{};
  {
    Profiler::Scope scope(tape.profiler(), "attention.forward", flops);
    backend_of(tape).attention_forward(by_head(qkv.tensor(), heads), tape.read(table), out.tensor(),
                                       lse ? lse.tensor() : Tensor{});
  }
  tape.record(
      "attention", out, {&table}, [qkv, out, lse, &table, heads, flops](Tape& t, OutputGrad& dout) {
        Profiler::Scope scope(t.profiler(), "attention.backward", 2 * flops);
        GradTarget dqkv = t.target(qkv.grad());
        dqkv.tensor = by_head(dqkv.tensor, heads);
        backend_of(t).attention_backward(dout.tensor(), by_head(qkv.tensor(), heads), t.read(table),
                                         out.tensor(), lse.tensor(), dqkv, t.target(table));
      });
  return out;
}

}  // namespace edt
