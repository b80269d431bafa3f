#include "core/ops/layout.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {

Var patch_embedding(Tape& tape, const Tensor& image, Parameter& weight, Parameter& bias,
                    const Tensor& positions) {
  require(image.shape.rank() == 4 && weight.shape.rank() == 4, "patch_embedding",
          "{}: image is {}, weight is {}", weight.name, to_string(image.shape),
          to_string(weight.shape));
  const std::int64_t channels = image.shape[1], patch = weight.shape[2];
  require(channels == weight.shape[1] && image.shape[2] % patch == 0 && image.shape[3] % patch == 0,
          "patch_embedding", "{}: image is {}, weight is {}", weight.name, to_string(image.shape),
          to_string(weight.shape));
  const std::int64_t tokens = image.shape[2] / patch * (image.shape[3] / patch);
  Var patches = tape.make({image.shape[0], tokens, channels * patch * patch});
  {
    Profiler::Scope scope(tape.profiler(), "layout.forward");
    backend_of(tape).patchify(image, patch, patches.tensor());
  }
  return linear(tape, patches, weight, &bias, positions);
}

Var pixel_shuffle(Tape& tape, const Var& x, const TokenGrid& grid) {
  require(x.shape().rank() == 3 && x.shape()[2] % 4 == 0, "pixel_shuffle",
          "input is {}, expected [B, T, 4*C]", to_string(x.shape()));
  check_grid("pixel_shuffle", grid, x.shape()[1]);
  Var y = tape.make({x.shape()[0], 4 * x.shape()[1], x.shape()[2] / 4});
  {
    Profiler::Scope scope(tape.profiler(), "layout.forward");
    backend_of(tape).pixel_shuffle_forward(x.tensor(), grid, y.tensor());
  }
  if (!x.needs_grad()) return y;
  tape.record("pixel_shuffle", y, {}, [dx = x.grad(), grid](Tape& t, OutputGrad& dy) {
    Profiler::Scope scope(t.profiler(), "layout.backward");
    backend_of(t).pixel_shuffle_backward(dy.tensor(), grid, t.target(dx));
  });
  return y;
}

Var join_columns(Tape& tape, const Var& parts) {
  const Shape& shape = parts.shape();
  require(shape.rank() == 3, "join_columns", "input is {}, expected [P, M, N]", to_string(shape));
  const Shape swapped{shape[1], shape[0], shape[2]};
  Var y = tape.make({shape[1], shape[0] * shape[2]});
  {
    Profiler::Scope scope(tape.profiler(), "layout.forward");
    backend_of(tape).swap_leading_axes(parts.tensor(), {y.tensor().reshaped(swapped), false});
  }
  if (!parts.needs_grad()) return y;
  tape.record("join_columns", y, {}, [dx = parts.grad(), swapped](Tape& t, OutputGrad& dy) {
    Profiler::Scope scope(t.profiler(), "layout.backward");
    backend_of(t).swap_leading_axes(dy.tensor().reshaped(swapped), t.target(dx));
  });
  return y;
}

Var repeat_columns(Tape& tape, const Var& x, std::int64_t times) {
  require(x.shape().rank() == 2 && times > 0, "repeat_columns",
          "input is {}, expected [M, N], to be repeated {} times", to_string(x.shape()), times);
  const std::int64_t rows = x.shape()[0], columns = x.shape()[1];
  const Shape apart{times, rows, columns}, together{rows, times, columns};
  Var y = tape.make({rows, times * columns});
  {
    const Profiler::Scope scope(tape.profiler(), "layout.forward");
    const Var copies = tape.make(apart);
    for (std::int64_t i = 0; i < times; ++i) {
      tape.device().copy(x.tensor().reshaped({1, rows, columns}), copies.tensor().slice(i, i + 1));
    }
    backend_of(tape).swap_leading_axes(copies.tensor(), {y.tensor().reshaped(together), false});
  }
  tape.record("repeat_columns", y, {}, [dx = x.grad(), apart, together](Tape& t, OutputGrad& dy) {
    const Profiler::Scope scope(t.profiler(), "layout.backward");
    const Var copies = t.make(apart);
    backend_of(t).swap_leading_axes(dy.tensor().reshaped(together), {copies.tensor(), false});
    const Tensor sum = t.accumulator(dx);
    for (std::int64_t i = 0; i < apart[0]; ++i) {
      t.device().add_into(copies.tensor().slice(i, i + 1).reshaped(sum.shape), sum);
    }
  });
  return y;
}

Var mask_tokens(Tape& tape, const Var& x, const Tensor& mask, const Tensor& positions) {
  const Shape& shape = x.shape();
  require(shape.rank() == 3, "mask_tokens", "input is {}, expected [B, T, D]", to_string(shape));
  check_shape("mask_tokens", "mask", mask.shape, {shape[0], shape[1]});
  check_shape("mask_tokens", "position table", as_matrix(positions).shape, {shape[1], shape[2]});
  Var y = tape.make(shape);
  {
    Profiler::Scope scope(tape.profiler(), "layout.forward");
    backend_of(tape).mask_tokens_forward(x.tensor(), mask, as_matrix(positions), y.tensor());
  }
  if (!x.needs_grad()) return y;
  tape.record("mask_tokens", y, {}, [dx = x.grad(), mask](Tape& t, OutputGrad& dy) {
    Profiler::Scope scope(t.profiler(), "layout.backward");
    backend_of(t).mask_tokens_backward(dy.tensor(), mask, t.target(dx));
  });
  return y;
}

}  // namespace edt
