#include "core/ops/fold.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check_fold(std::string_view op, const Shape& fine, const TokenGrid& grid, std::int64_t side) {
  require(fine.rank() == 3 && side >= 1 && grid.rows % side == 0 && grid.columns % side == 0, op,
          "tokens {} on a grid of {} have no squares of {}", to_string(fine), to_string(grid),
          side);
  check_grid(op, grid, fine[1]);
}

}  // namespace

Var fold_tokens(Tape& tape, const Var& x, const TokenGrid& grid, std::int64_t side) {
  const Shape& shape = x.shape();
  check_fold("fold_tokens", shape, grid, side);
  const std::int64_t square = side * side;
  Var y = tape.make({shape[0], shape[1] / square, shape[2] * square});
  {
    Profiler::Scope scope(tape.profiler(), "layout.forward");
    backend_of(tape).fold_tokens(x.tensor(), grid, side, {y.tensor(), false});
  }
  if (!x.needs_grad()) return y;
  tape.record("fold_tokens", y, {}, [dx = x.grad(), grid, side](Tape& t, OutputGrad& dy) {
    Profiler::Scope scope(t.profiler(), "layout.backward");
    backend_of(t).unfold_tokens(dy.tensor(), grid, side, t.target(dx));
  });
  return y;
}

Var unfold_tokens(Tape& tape, const Var& x, const TokenGrid& grid, std::int64_t side) {
  const Shape& shape = x.shape();
  const std::int64_t square = side * side;
  require(shape.rank() == 3 && side >= 1 && shape[2] % square == 0, "unfold_tokens",
          "tokens are {}, expected [B, T, C * {}^2]", to_string(shape), side);
  const Shape fine{shape[0], shape[1] * square, shape[2] / square};
  check_fold("unfold_tokens", fine, grid, side);
  Var y = tape.make(fine);
  {
    Profiler::Scope scope(tape.profiler(), "layout.forward");
    backend_of(tape).unfold_tokens(x.tensor(), grid, side, {y.tensor(), false});
  }
  if (!x.needs_grad()) return y;
  tape.record("unfold_tokens", y, {}, [dx = x.grad(), grid, side](Tape& t, OutputGrad& dy) {
    Profiler::Scope scope(t.profiler(), "layout.backward");
    backend_of(t).fold_tokens(dy.tensor(), grid, side, t.target(dx));
  });
  return y;
}

}  // namespace edt
