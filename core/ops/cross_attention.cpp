#include "core/ops/cross_attention.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

Tensor heads_of(const Tensor& tensor, std::int64_t parts, std::int64_t heads) {
  const Shape& s = tensor.shape;
  const std::int64_t size = s[2] / (parts * heads);
  if (parts == 1) return tensor.reshaped({s[0], s[1], heads, size});
  return tensor.reshaped({s[0], s[1], parts, heads, size});
}

GradTarget heads_of(const GradTarget& target, std::int64_t parts, std::int64_t heads) {
  if (!target.wanted()) return {};
  return {heads_of(target.tensor, parts, heads), target.accumulate};
}

void check_inputs(const Var& q, const Var& kv, const Tensor& lengths, std::int64_t heads) {
  constexpr std::string_view kOp = "cross_attention";
  require(q.shape().rank() == 3 && heads > 0 && q.shape()[2] % heads == 0, kOp,
          "queries are {}, which {} heads do not divide", to_string(q.shape()), heads);
  require(kv.shape().rank() == 3, kOp, "keys and values are {}, expected [B, L, 2*D]",
          to_string(kv.shape()));
  check_shape(kOp, "keys and values", kv.shape(), {q.shape()[0], kv.shape()[1], 2 * q.shape()[2]});
  check_shape(kOp, "lengths of texts", lengths.shape, {q.shape()[0]});
}

}  // namespace

Var cross_attention(Tape& tape, const Var& q, const Var& kv, const Var& lengths,
                    std::int64_t heads) {
  check_inputs(q, kv, lengths.tensor(), heads);
  const std::int64_t batch = q.shape()[0], tokens = q.shape()[1];
  // q k^T and p v, of texts as long as any may be.
  const double flops = 4.0 * static_cast<double>(batch * tokens * kv.shape()[1] * q.shape()[2]);
  Var out = tape.make(q.shape());
  Var lse = tape.recording() ? tape.make({batch, heads, tokens}, tape.accurate_dtype()) : Var{};
  {
    const Profiler::Scope scope(tape.profiler(), "cross_attention.forward", flops);
    backend_of(tape).cross_attention_forward(heads_of(q.tensor(), 1, heads),
                                             heads_of(kv.tensor(), 2, heads), lengths.tensor(),
                                             out.tensor(), lse ? lse.tensor() : Tensor{});
  }
  tape.record("cross_attention", out, {},
              [q, kv, lengths, heads, out, lse, flops](Tape& t, OutputGrad& dout) {
                const Profiler::Scope scope(t.profiler(), "cross_attention.backward", 2 * flops);
                const GradTarget dq = heads_of(t.target(q.grad()), 1, heads);
                const GradTarget dkv = heads_of(t.target(kv.grad()), 2, heads);
                backend_of(t).cross_attention_backward(
                    dout.tensor(), heads_of(q.tensor(), 1, heads), heads_of(kv.tensor(), 2, heads),
                    lengths.tensor(), out.tensor(), lse.tensor(), dq, dkv);
              });
  return out;
}

}  // namespace edt
