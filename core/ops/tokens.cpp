#include "core/ops/tokens.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check_visible(std::string_view op, const Var& x, const VisibleTokens& visible,
                   std::int64_t tokens) {
  require(x.shape().rank() == 3 && x.shape()[1] == tokens, op, "input is {}, expected [B, {}, D]",
          to_string(x.shape()), tokens);
  require(visible.ids.shape.rank() == 2, op, "visible tokens are {}, expected [B, K]",
          to_string(visible.ids.shape));
  const std::int64_t batch = x.shape()[0];
  check_shape(op, "visible tokens", visible.ids.shape, {batch, visible.ids.shape[1]});
  check_shape(op, "places of visible tokens", visible.places.shape, {batch, visible.grid.tokens()});
}

Tensor flat(const Tensor& parameter, const Shape& shape) { return parameter.reshaped(shape); }

GradTarget flat(const GradTarget& target, const Shape& shape) {
  return {target.tensor.reshaped(shape), target.accumulate};
}

}  // namespace

Var gather_tokens(Tape& tape, const Var& x, const VisibleTokens& visible) {
  check_visible("gather_tokens", x, visible, visible.grid.tokens());
  Var y = tape.make({x.shape()[0], visible.ids.shape[1], x.shape()[2]});
  {
    Profiler::Scope scope(tape.profiler(), "tokens.forward");
    backend_of(tape).gather_tokens_forward(x.tensor(), visible, y.tensor());
  }
  if (!x.needs_grad()) return y;
  tape.record("gather_tokens", y, {}, [dx = x.grad(), visible](Tape& t, OutputGrad& dy) {
    Profiler::Scope scope(t.profiler(), "tokens.backward");
    backend_of(t).gather_tokens_backward(dy.tensor(), visible, t.target(dx));
  });
  return y;
}

Var restore_tokens(Tape& tape, const Var& x, const VisibleTokens& visible, Parameter& token) {
  check_visible("restore_tokens", x, visible, visible.ids.shape[1]);
  const std::int64_t width = x.shape()[2];
  require(token.shape.elements() == width, "restore_tokens", "{} is {}, the tokens are {} wide",
          token.name, to_string(token.shape), width);
  Var y = tape.make({x.shape()[0], visible.grid.tokens(), width});
  {
    Profiler::Scope scope(tape.profiler(), "tokens.forward");
    backend_of(tape).restore_tokens_forward(x.tensor(), visible, flat(tape.read(token), {width}),
                                            y.tensor());
  }
  tape.record("restore_tokens", y, {&token},
              [dx = x.grad(), visible, &token, width](Tape& t, OutputGrad& dy) {
                Profiler::Scope scope(t.profiler(), "tokens.backward");
                backend_of(t).restore_tokens_backward(dy.tensor(), visible, t.target(dx),
                                                      flat(t.target(token), {width}));
              });
  return y;
}

Var select_tokens(Tape& tape, const Var& visible_rows, const Var& dropped_rows,
                  const VisibleTokens& visible) {
  check_visible("select_tokens", visible_rows, visible, visible.grid.tokens());
  check_shape("select_tokens", "second input", dropped_rows.shape(), visible_rows.shape());
  Var y = tape.make(visible_rows.shape());
  {
    Profiler::Scope scope(tape.profiler(), "tokens.forward");
    backend_of(tape).select_tokens_forward(visible_rows.tensor(), dropped_rows.tensor(), visible,
                                           y.tensor());
  }
  if (!visible_rows.needs_grad() && !dropped_rows.needs_grad()) return y;
  tape.record("select_tokens", y, {},
              [dvisible = visible_rows.grad(), ddropped = dropped_rows.grad(), visible](
                  Tape& t, OutputGrad& dy) {
                Profiler::Scope scope(t.profiler(), "tokens.backward");
                const GradTarget to_visible = t.target(dvisible), to_dropped = t.target(ddropped);
                backend_of(t).select_tokens_backward(dy.tensor(), visible, to_visible, to_dropped);
              });
  return y;
}

Var add_positions(Tape& tape, const Var& x, Parameter& positions) {
  require(x.shape().rank() == 3, "add_positions", "input is {}, expected [B, T, D]",
          to_string(x.shape()));
  const Shape table{x.shape()[1], x.shape()[2]};
  require(positions.shape.elements() == table.elements(), "add_positions",
          "{} is {}, the tokens are {}", positions.name, to_string(positions.shape),
          to_string(x.shape()));
  Var y = tape.make(x.shape());
  {
    Profiler::Scope scope(tape.profiler(), "tokens.forward");
    backend_of(tape).add_positions_forward(x.tensor(), flat(tape.read(positions), table),
                                           y.tensor());
  }
  tape.record("add_positions", y, {&positions},
              [dx = x.grad(), &positions, table](Tape& t, OutputGrad& dy) {
                Profiler::Scope scope(t.profiler(), "tokens.backward");
                backend_of(t).add_positions_backward(dy.tensor(), flat(t.target(positions), table));
                dy.give_to(dx);
              });
  return y;
}

}  // namespace edt
