#include "tests/core/autograd/fixture.h"

namespace edt {
namespace {

using Gradients = std::vector<std::vector<float>>;

TEST_F(TapeTest, ChainRule) {
  Var x = leaf();
  tape.backward(square(tape, scale(tape, x, a)));  // d(a x)^2 = 2 a x (x da + a dx)
  for (std::size_t i = 0; i < kSize; ++i) {
    const float y = 2 * a.values[i] * input[i];
    EXPECT_FLOAT_EQ(a.gradient[i], y * input[i]);
    EXPECT_FLOAT_EQ(tape.grad_of(x).span<float>()[i], y * a.values[i]);
  }
}

TEST_F(TapeTest, ValuesGoBackToTheArenaWithTheirLastUser) {
  const std::size_t before = arena.bytes_in_use();
  {
    Var loss = square(tape, square(tape, scale(tape, leaf(), a)));
    tape.backward(loss);
  }
  tape.clear();
  EXPECT_EQ(arena.bytes_in_use(), before);
  {
    const Tape::NoGrad no_grad(tape);
    Var x = leaf();
    for (int i = 0; i < 10; ++i) x = identity(tape, x);
    EXPECT_EQ(arena.bytes_in_use(), before + Arena::kAlignment);
    EXPECT_EQ(tape.mark(), 0u);
  }
}

TEST_F(TapeTest, GiveToHandsTheSameMemoryOn) {
  Var x = leaf();
  Var y = identity(tape, x);
  const void* memory = tape.target(y.grad()).tensor.data;
  device.fill(tape.target(y.grad()).tensor, 3);
  tape.backward_to(0);
  EXPECT_EQ(tape.grad_of(x).data, memory);
  EXPECT_EQ(tape.grad_of(x).span<float>()[0], 3);
}

TEST_F(TapeTest, GiveToAddsWhereAGradientIs) {
  Var x = leaf();
  tape.backward(sum(tape, identity(tape, x), sum(tape, identity(tape, x), x)));
  EXPECT_EQ(tape.grad_of(x).span<float>()[0], 3);
}

TEST_F(TapeTest, ATensorAddedToItself) {
  Var x = leaf();
  tape.backward(sum(tape, x, x));
  EXPECT_EQ(tape.grad_of(x).span<float>()[0], 2);
}

TEST_F(TapeTest, HooksFireInTheOrderOfTheLastUse) {
  Var y = scale(tape, scale(tape, scale(tape, leaf(), a), b), a);
  tape.backward(scale(tape, y, c));
  EXPECT_EQ(ready, (Names{"c", "b", "a"}));
}

TEST_F(TapeTest, AGradientIsFinalWhenItsHookFires) {
  std::vector<float> seen;
  tape.set_ready_hook([&](Parameter& p) {
    if (p.name == "a") seen = a.gradient;
  });
  tape.backward(scale(tape, scale(tape, leaf(), a), a));
  EXPECT_EQ(seen, a.gradient);
  EXPECT_FLOAT_EQ(seen[0], 2 * a.values[0] * input[0]);
}

TEST_F(TapeTest, WithoutGradientAParameterIsZero) {
  Var unused = scale(tape, leaf(), b);
  tape.backward(scale(tape, leaf(), a));
  EXPECT_EQ(ready, (Names{"a", "b"}));
  EXPECT_EQ(b.gradient, std::vector<float>(kSize, 0.f));
}

TEST_F(TapeTest, OnlyTheLastPassFires) {
  tape.set_last_pass(false);
  tape.backward(scale(tape, scale(tape, leaf(), a), b));
  EXPECT_EQ(ready, Names{});
  const Gradients first{a.gradient, b.gradient};
  tape.set_last_pass(true);
  tape.backward(scale(tape, scale(tape, leaf(), a), b));
  EXPECT_EQ(ready, (Names{"b", "a"}));
  for (std::size_t i = 0; i < kSize; ++i) {
    EXPECT_FLOAT_EQ(a.gradient[i], 2 * first[0][i]);
    EXPECT_FLOAT_EQ(b.gradient[i], 2 * first[1][i]);
  }
}

// A prefix computed once and two suffixes, each walked back to the prefix, then the prefix.
TEST_F(TapeTest, SharedPrefix) {
  {
    Var x = leaf();
    Var shared = scale(tape, x, a);
    const std::size_t mark = tape.mark();
    tape.set_last_pass(false);
    tape.backward(square(tape, scale(tape, shared, b)), 0.5, mark);
    EXPECT_EQ(tape.mark(), mark);
    tape.set_last_pass(true);
    tape.backward(scale(tape, shared, b), 1.0, mark);
    EXPECT_EQ(ready, Names{"b"});
    tape.backward_to(0);
  }
  EXPECT_EQ(ready, (Names{"b", "a"}));
  const Gradients shared{a.gradient, b.gradient};
  next_step();
  for (const bool last : {false, true}) {
    tape.set_last_pass(last);
    Var y = scale(tape, scale(tape, leaf(), a), b);
    tape.backward(last ? y : square(tape, y), last ? 1.0 : 0.5);
  }
  for (std::size_t i = 0; i < kSize; ++i) {
    EXPECT_NEAR(shared[0][i], a.gradient[i], 1e-6);  // sums in another order
    EXPECT_NEAR(shared[1][i], b.gradient[i], 1e-6);  // sums in another order
  }
}

TEST_F(TapeTest, LeavesWithoutGradientGetNone) {
  Var x = tape.leaf(view_of(std::span(input), {kSize}));
  EXPECT_FALSE(x.grad());
  tape.backward(scale(tape, x, a));
  EXPECT_FALSE(tape.grad_of(x).defined());
}

TEST_F(TapeTest, AnUnfinishedStepGivesItsMemoryBack) {
  const std::size_t before = arena.bytes_in_use();
  {
    Tape other(device, arena, profiler, DType::kFloat32);
    square(other, scale(other, other.leaf(view_of(std::span(input), {kSize}), true), a));
  }
  EXPECT_EQ(arena.bytes_in_use(), before);
  a.pending_uses = 0;
}

TEST_F(TapeTest, ClearRefusesLivingValues) {
  Var x = leaf();
  EXPECT_ANY_THROW(tape.clear());
}

}  // namespace
}  // namespace edt
