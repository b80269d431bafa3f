#include "core/ops/regions.h"

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

void check_step(std::string_view what, std::int64_t tokens, const TokenRegions& regions) {
  require(regions.ratio >= 1 && regions.run >= 1 && tokens % regions.step() == 0, "join_tokens",
          "{} tokens of the {} stream cannot be dealt to {} regions in runs of {}", tokens, what,
          regions.ratio, regions.run);
}

// Of one stream of `joined`.
Var part_of(Tape& tape, const Var& joined, std::int64_t tokens, const TokenRegions& regions,
            bool is_first) {
  const Shape& shape = joined.shape();
  const std::int64_t all = shape[1] * regions.ratio;
  require(shape.rank() == 3 && shape[0] % regions.ratio == 0 && 0 < tokens && tokens < all,
          "split_tokens", "{} tokens in {} regions of {} are asked for", tokens, regions.ratio,
          to_string(shape));
  check_step(is_first ? "first" : "second", is_first ? tokens : all - tokens, regions);
  Var y = tape.make({shape[0] / regions.ratio, is_first ? tokens : all - tokens, shape[2]});
  {
    Profiler::Scope scope(tape.profiler(), "regions.forward");
    const GradTarget to{y.tensor(), false};
    backend_of(tape).split_tokens(joined.tensor(), regions.ratio, regions.run,
                                  is_first ? to : GradTarget{}, is_first ? GradTarget{} : to);
  }
  if (!joined.needs_grad()) return y;
  tape.record("split_tokens", y, {},
              [djoined = joined.grad(), regions, is_first](Tape& t, OutputGrad& dy) {
                Profiler::Scope scope(t.profiler(), "regions.backward");
                const Tensor d = dy.tensor();
                backend_of(t).join_tokens(is_first ? d : Tensor{}, is_first ? Tensor{} : d,
                                          regions.ratio, regions.run, t.target(djoined));
              });
  return y;
}

}  // namespace

Var join_tokens(Tape& tape, const Var& a, const Var& b, const TokenRegions& regions) {
  const Shape &first = a.shape(), &second = b.shape();
  require(first.rank() == 3 && second.rank() == 3 && first[0] == second[0] && first[2] == second[2],
          "join_tokens", "streams are {} and {}, expected [B, Ta, N] and [B, Tb, N]",
          to_string(first), to_string(second));
  check_step("first", first[1], regions);
  check_step("second", second[1], regions);
  Var y = tape.make({first[0] * regions.ratio, (first[1] + second[1]) / regions.ratio, first[2]});
  {
    Profiler::Scope scope(tape.profiler(), "regions.forward");
    backend_of(tape).join_tokens(a.tensor(), b.tensor(), regions.ratio, regions.run,
                                 {y.tensor(), false});
  }
  if (!a.needs_grad() && !b.needs_grad()) return y;
  tape.record("join_tokens", y, {},
              [da = a.grad(), db = b.grad(), regions](Tape& t, OutputGrad& dy) {
                Profiler::Scope scope(t.profiler(), "regions.backward");
                const GradTarget to_a = t.target(da), to_b = t.target(db);
                backend_of(t).split_tokens(dy.tensor(), regions.ratio, regions.run, to_a, to_b);
              });
  return y;
}

Var first_tokens(Tape& tape, const Var& joined, std::int64_t tokens, const TokenRegions& regions) {
  return part_of(tape, joined, tokens, regions, true);
}

Var last_tokens(Tape& tape, const Var& joined, std::int64_t tokens, const TokenRegions& regions) {
  return part_of(tape, joined, tokens, regions, false);
}

// As if each token were a sample, and its columns in `a` and in `b` a token each.
Var join_columns(Tape& tape, const Var& a, const Var& b) {
  const Shape& shape = a.shape();
  check_shape("join_columns", "second input", b.shape(), shape);
  require(shape.rank() == 3, "join_columns", "inputs are {}, expected [B, T, N]", to_string(shape));
  const std::int64_t rows = shape.rows(), width = shape[2];
  const Shape one{rows, 1, width}, both{rows, 2, width};
  Var y = tape.make({shape[0], shape[1], 2 * width});
  {
    Profiler::Scope scope(tape.profiler(), "regions.forward");
    backend_of(tape).join_tokens(a.tensor().reshaped(one), b.tensor().reshaped(one), 1, 1,
                                 {y.tensor().reshaped(both), false});
  }
  if (!a.needs_grad() && !b.needs_grad()) return y;
  tape.record("join_columns", y, {},
              [da = a.grad(), db = b.grad(), one, both](Tape& t, OutputGrad& dy) {
                Profiler::Scope scope(t.profiler(), "regions.backward");
                const auto reshaped = [&](GradTarget target) {
                  if (target.wanted()) target.tensor = target.tensor.reshaped(one);
                  return target;
                };
                const GradTarget to_a = reshaped(t.target(da)), to_b = reshaped(t.target(db));
                backend_of(t).split_tokens(dy.tensor().reshaped(both), 1, 1, to_a, to_b);
              });
  return y;
}

}  // namespace edt
