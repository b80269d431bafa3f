#include "core/ops/picture/attention.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

// [N, H, W, C] as [N, H W, C].
Tensor tokens_of(const Var& x) {
  const Shape s = x.shape();
  return x.tensor().reshaped({s[0], s[1] * s[2], s[3]});
}

}  // namespace

Var wide_attention(Tape& tape, const Var& q, const Var& k, const Var& v) {
  const Shape shape = q.shape();
  require(shape.rank() == 4, "wide_attention", "queries are {}, expected [N, H, W, C]",
          to_string(shape));
  check_shape("wide_attention", "keys", k.shape(), shape);
  check_shape("wide_attention", "values", v.shape(), shape);
  Var y = tape.make(shape, q.dtype());
  const double tokens = static_cast<double>(shape[1] * shape[2]);
  Profiler::Scope scope(
      tape.profiler(), "wide_attention.forward",
      4.0 * static_cast<double>(shape[0]) * tokens * tokens * static_cast<double>(shape[3]));
  backend_of(tape).wide_attention(tokens_of(q), tokens_of(k), tokens_of(v), tokens_of(y));
  return y;
}

Var relu_linear_attention(Tape& tape, const Var& qkv, std::int64_t size, double epsilon) {
  const Shape s = qkv.shape();
  require(s.rank() == 4 && size >= 1 && s[3] % (3 * size) == 0, "relu_linear_attention",
          "input is {}, expected [N, H, W, heads * 3 * {}]", to_string(s), size);
  const std::int64_t width = s[3] / 3;
  Var y = tape.make({s[0], s[1], s[2], width}, qkv.dtype());
  Profiler::Scope scope(
      tape.profiler(), "relu_linear_attention.forward",
      4.0 * static_cast<double>(s[0] * s[1] * s[2] * width) * static_cast<double>(size));
  backend_of(tape).relu_linear_attention(tokens_of(qkv), size, epsilon, tokens_of(y));
  return y;
}

}  // namespace edt
