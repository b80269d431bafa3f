#include "core/ops/kernel_attention.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

constexpr auto kKernelAttention = "kernel_attention";

Tensor in_heads(const Tensor& x, std::int64_t heads) {
  return x.reshaped({x.shape[0], x.shape[1], heads, x.shape[2] / heads});
}

GradTarget in_heads(GradTarget target, std::int64_t heads) {
  if (target.wanted()) target.tensor = in_heads(target.tensor, heads);
  return target;
}

void check(const Var& q, const Var& k, const Var& v, std::int64_t heads) {
  const Shape shape = q.shape();
  require(shape.rank() == 3 && heads > 0 && shape[2] % heads == 0, kKernelAttention,
          "queries are {}, which {} heads do not divide", to_string(shape), heads);
  require(k.shape().rank() == 3 && k.shape()[1] >= 1, kKernelAttention,
          "keys are {}, expected [B, M, D]", to_string(k.shape()));
  check_shape(kKernelAttention, "keys", k.shape(), {shape[0], k.shape()[1], shape[2]});
  check_shape(kKernelAttention, "values", v.shape(), k.shape());
}

}  // namespace

Var kernel_attention(Tape& tape, const Var& q, const Var& k, const Var& v, std::int64_t heads) {
  check(q, k, v, heads);
  const std::int64_t batch = q.shape()[0], size = q.shape()[2] / heads;
  const Var y = tape.make(q.shape());
  const Var state = tape.make({batch, heads, size, size + 1}, tape.accurate_dtype());
  // State and result: d + 1 products for each element of keys and of queries.
  const double flops =
      2.0 * static_cast<double>((q.shape().elements() + k.shape().elements()) * (size + 1));
  {
    const Profiler::Scope scope(tape.profiler(), "kernel_attention.forward", flops);
    backend_of(tape).kernel_attention_forward(
        in_heads(q.tensor(), heads), in_heads(k.tensor(), heads), in_heads(v.tensor(), heads),
        state.tensor(), in_heads(y.tensor(), heads));
  }
  tape.record(kKernelAttention, y, {}, [q, k, v, y, state, heads, flops](Tape& t, OutputGrad& dy) {
    const Profiler::Scope scope(t.profiler(), "kernel_attention.backward", 2 * flops);
    const GradTarget dq = in_heads(t.target(q.grad()), heads);
    const GradTarget dk = in_heads(t.target(k.grad()), heads);
    const GradTarget dv = in_heads(t.target(v.grad()), heads);
    backend_of(t).kernel_attention_backward(
        in_heads(dy.tensor(), heads), in_heads(q.tensor(), heads), in_heads(k.tensor(), heads),
        in_heads(v.tensor(), heads), state.tensor(), in_heads(y.tensor(), heads), dq, dk, dv);
  });
  return y;
}

}  // namespace edt
