#include "core/ops/heads.h"

#include <algorithm>

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check_head_transform(const Var& qkv, std::int64_t heads, const Var& norms,
                          const Tensor& rotation) {
  constexpr std::string_view kOp = "head_transform";
  require(qkv.shape().rank() == 3 && heads > 0 && qkv.shape()[2] % (3 * heads) == 0, kOp,
          "qkv is {}, which {} heads do not divide", to_string(qkv.shape()), heads);
  const std::int64_t size = qkv.shape()[2] / (3 * heads);
  require(norms || rotation.defined(), kOp, "neither norms nor a rotation of {}",
          to_string(qkv.shape()));
  if (norms) {
    require(norms.shape() == Shape{2, size} || norms.shape() == Shape{4, size}, kOp,
            "norms are {}, heads have {} elements: expected {} or {}", to_string(norms.shape()),
            size, to_string(Shape{2, size}), to_string(Shape{4, size}));
  }
  if (!rotation.defined()) return;
  const Shape all{qkv.shape()[0], qkv.shape()[1], size};
  if (rotation.shape != all) check_shape(kOp, "rotation", rotation.shape, {all[1], size});
  require(size % 2 == 0, kOp, "heads of {} elements have no pairs to be rotated", size);
}

Tensor tensor_or_none(const Var& value) { return value ? value.tensor() : Tensor{}; }

}  // namespace

Var head_transform(Tape& tape, const Var& qkv, std::int64_t heads, const Var& norms,
                   const Tensor& rotation, const Var& kept) {
  check_head_transform(qkv, heads, norms, rotation);
  Var y = tape.make(qkv.shape());
  {
    Profiler::Scope scope(tape.profiler(), "head_transform.forward");
    backend_of(tape).head_transform_forward(by_head(qkv.tensor(), heads), tensor_or_none(norms),
                                            rotation, by_head(y.tensor(), heads));
  }
  // A rotation alone is turned back without its input, which can go.
  tape.record("head_transform", y, {},
              [x = norms ? qkv : Var{}, dx = qkv.grad(), heads, norms, rotation, kept](
                  Tape& t, OutputGrad& dy) {
                Profiler::Scope scope(t.profiler(), "head_transform.backward");
                GradTarget dqkv = t.target(dx);
                dqkv.tensor = by_head(dqkv.tensor, heads);
                backend_of(t).head_transform_backward(
                    by_head(dy.tensor(), heads), x ? by_head(x.tensor(), heads) : Tensor{},
                    tensor_or_none(norms), rotation, dqkv,
                    norms ? t.accumulator(norms.grad()) : Tensor{});
              });
  return y;
}

Var parameter_rows(Tape& tape, const std::array<Parameter*, 4>& parameters) {
  const std::int64_t count = std::ranges::find(parameters, nullptr) - parameters.begin();
  require(count > 0, "parameter_rows", "no parameters");
  const std::int64_t size = parameters[0]->shape.elements();
  Var rows = tape.make({count, size}, tape.accurate_dtype());
  {
    Profiler::Scope scope(tape.profiler(), "parameter_rows.forward");
    for (std::int64_t i = 0; i < count; ++i) {
      Parameter& parameter = *parameters[static_cast<std::size_t>(i)];
      check_shape("parameter_rows", parameter.name, parameter.shape, {size});
      tape.device().copy(tape.read(parameter).reshaped({1, size}), rows.tensor().slice(i, i + 1));
    }
  }
  tape.record("parameter_rows", rows, {parameters[0], parameters[1], parameters[2], parameters[3]},
              [parameters, count, size](Tape& t, OutputGrad& drows) {
                Profiler::Scope scope(t.profiler(), "parameter_rows.backward");
                for (std::int64_t i = 0; i < count; ++i) {
                  const GradTarget to = t.target(*parameters[static_cast<std::size_t>(i)]);
                  const Tensor from = drows.tensor().slice(i, i + 1);
                  const Tensor into = to.tensor.reshaped({1, size});
                  to.accumulate ? t.device().add_into(from, into) : t.device().copy(from, into);
                }
              });
  return rows;
}

}  // namespace edt
