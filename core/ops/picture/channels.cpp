#include "core/ops/picture/channels.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {

Var fold_pixels(Tape& tape, const Var& x, std::int64_t r, std::int64_t group) {
  const Shape s = x.shape();
  require(s.rank() == 4 && r >= 1 && s[1] % r == 0 && s[2] % r == 0 && group >= 1 &&
              s[3] * r * r % group == 0,
          "fold_pixels", "input is {}: {} pixels to a side, means of {}", to_string(s), r, group);
  Var y = tape.make({s[0], s[1] / r, s[2] / r, s[3] * r * r / group}, x.dtype());
  Profiler::Scope scope(tape.profiler(), "fold_pixels.forward");
  backend_of(tape).fold_pixels(x.tensor(), r, group, y.tensor());
  return y;
}

Var unfold_pixels(Tape& tape, const Var& x, std::int64_t r, std::int64_t repeats) {
  const Shape s = x.shape();
  require(s.rank() == 4 && r >= 1 && repeats >= 1 && s[3] * repeats % (r * r) == 0, "unfold_pixels",
          "input is {}: {} pixels to a side, {} repeats", to_string(s), r, repeats);
  Var y = tape.make({s[0], s[1] * r, s[2] * r, s[3] * repeats / (r * r)}, x.dtype());
  Profiler::Scope scope(tape.profiler(), "unfold_pixels.forward");
  backend_of(tape).unfold_pixels(x.tensor(), r, repeats, y.tensor());
  return y;
}

Var gated_silu(Tape& tape, const Var& x) {
  const Shape s = x.shape();
  require(s.rank() == 4 && s[3] % 2 == 0, "gated_silu", "input is {}, expected [N, H, W, 2 C]",
          to_string(s));
  Var y = tape.make({s[0], s[1], s[2], s[3] / 2}, x.dtype());
  Profiler::Scope scope(tape.profiler(), "gated_silu.forward");
  backend_of(tape).gated_silu(x.tensor(), y.tensor());
  return y;
}

Var join_channels(Tape& tape, const Var& a, const Var& b) {
  const Shape s = a.shape(), t = b.shape();
  require(s.rank() == 4 && t == Shape{s[0], s[1], s[2], t[3]}, "join_channels",
          "inputs are {} and {}", to_string(s), to_string(t));
  Var y = tape.make({s[0], s[1], s[2], s[3] + t[3]}, a.dtype());
  Profiler::Scope scope(tape.profiler(), "join_channels.forward");
  backend_of(tape).join_channels(a.tensor(), b.tensor(), y.tensor());
  return y;
}

}  // namespace edt
