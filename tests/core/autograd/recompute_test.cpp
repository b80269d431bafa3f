#include "tests/core/autograd/fixture.h"

namespace edt {
namespace {

struct Outcome {
  std::vector<float> a, b, c, input;
  Names ready;
  bool operator==(const Outcome&) const = default;
};

class Recompute : public TapeTest {
 protected:
  // Runs one step of `model` (Var(const Var&)) and returns all gradients.
  template <class Model>
  Outcome step(Model model) {
    Outcome outcome;
    {
      Var x = leaf();
      tape.backward(model(x));
      const auto grad = tape.grad_of(x).template span<float>();
      outcome = {a.gradient, b.gradient, c.gradient, {grad.begin(), grad.end()}, ready};
    }
    next_step();
    return outcome;
  }

  Var block(const Var& x) { return square(tape, scale(tape, square(tape, scale(tape, x, a)), b)); }
};

TEST_F(Recompute, SameBitsAsWithout) {
  const Outcome plain = step([&](const Var& x) { return scale(tape, block(x), c); });
  const Outcome scoped = step(
      [&](const Var& x) { return scale(tape, tape.recompute([=, this] { return block(x); }), c); });
  EXPECT_EQ(plain, scoped);
  EXPECT_EQ(plain.ready, (Names{"c", "b", "a"}));
}

TEST_F(Recompute, Nested) {
  const Outcome plain = step([&](const Var& x) { return scale(tape, block(block(x)), c); });
  const Outcome nested = step([&](const Var& x) {
    Var y = tape.recompute([=, this] {
      Var inner = tape.recompute([=, this] { return block(x); });
      return tape.recompute([=, this] { return block(inner); });
    });
    return scale(tape, y, c);
  });
  EXPECT_EQ(plain, nested);
}

TEST_F(Recompute, ParameterInsideAndOutside) {
  const auto model = [&](const Var& x, bool scoped) {
    Var y = scale(tape, x, a);
    y = scoped ? tape.recompute([=, this] { return scale(tape, scale(tape, y, a), b); })
               : scale(tape, scale(tape, y, a), b);
    return scale(tape, scale(tape, y, b), c);
  };
  const Outcome plain = step([&](const Var& x) { return model(x, false); });
  const Outcome scoped = step([&](const Var& x) { return model(x, true); });
  EXPECT_EQ(plain, scoped);
}

TEST_F(Recompute, TheOwnerHearsOfReadsInTheSecondRun) {
  {
    Var x = leaf();
    Var y = tape.recompute([=, this] { return scale(tape, x, a); });
    EXPECT_EQ(owner.reads, Names{"a"});
    tape.backward(y);
  }
  EXPECT_EQ(owner.reads, (Names{"a", "a", "a"}));  // forward, forward again, backward
  EXPECT_EQ(ready, Names{"a"});
  next_step();
}

TEST_F(Recompute, ScopeWithoutGradientStillFinishesItsParameters) {
  const Outcome outcome = step([&](const Var& x) {
    Var unused = tape.recompute([=, this] { return scale(tape, x, b); });
    return scale(tape, x, a);
  });
  EXPECT_EQ(outcome.ready, (Names{"a", "b"}));
  EXPECT_EQ(outcome.b, std::vector<float>(kSize, 0.f));
}

TEST_F(Recompute, KeepsOnlyTheResult) {
  const std::size_t before = arena.bytes_in_use();
  {
    Var x = leaf();
    Var y = tape.recompute([=, this] { return block(x); });
    EXPECT_EQ(arena.bytes_in_use(), before + Arena::kAlignment);
    tape.backward(y);
  }
  next_step();
  EXPECT_EQ(arena.bytes_in_use(), before);
}

TEST_F(Recompute, RunsItsForwardTwice) {
  int runs = 0;
  step([&](const Var& x) {
    return tape.recompute([=, this, &runs] {
      ++runs;
      return block(x);
    });
  });
  EXPECT_EQ(runs, 2);
}

TEST_F(Recompute, WithoutRecordingItIsThePlainForward) {
  int runs = 0;
  {
    const Tape::NoGrad no_grad(tape);
    Var x = leaf();
    tape.recompute([=, this, &runs] {
      ++runs;
      return block(x);
    });
  }
  next_step();
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace edt
