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
    EXPECT_EQ(tape.recorded_nodes(), 0u);
  }
}

TEST_F(TapeTest, GiveToHandsTheSameMemoryOn) {
  Var x = leaf();
  Var y = identity(tape, x);
  const void* memory = tape.target(y.grad()).tensor.data;
  device.fill(tape.target(y.grad()).tensor, 3);
  tape.backward();
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
  owner.on_final = [&](Parameter& p) {
    if (p.name == "a") seen = a.gradient;
  };
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

TEST_F(TapeTest, GradientsOfSeveralWalksAddUp) {
  tape.backward(scale(tape, scale(tape, leaf(), a), b));
  const Gradients first{a.gradient, b.gradient};
  tape.backward(scale(tape, scale(tape, leaf(), a), b));
  for (std::size_t i = 0; i < kSize; ++i) {
    EXPECT_FLOAT_EQ(a.gradient[i], 2 * first[0][i]);
    EXPECT_FLOAT_EQ(b.gradient[i], 2 * first[1][i]);
  }
}

TEST_F(TapeTest, TheOwnerIsToldOfEveryReadAndOfTheFirstWrite) {
  tape.backward(scale(tape, scale(tape, scale(tape, leaf(), a), b), a));
  EXPECT_EQ(owner.reads, (Names{"a", "b", "a", "a", "b", "a"}));
  EXPECT_EQ(owner.writes, (Names{"a", "b"}));
}

TEST_F(TapeTest, TheOwnerMayBringMemoryAtTheFirstWrite) {
  Var unused = scale(tape, leaf(), b);
  EXPECT_EQ(owner.writes, Names{});
  tape.backward(scale(tape, leaf(), a));
  EXPECT_EQ(owner.writes, (Names{"a", "b"}));  // b: to be zero-filled
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

TEST_F(TapeTest, AViewKeepsTheWholeAlive) {
  const std::size_t before = arena.bytes_in_use();
  {
    Var whole = tape.make({2, kSize});
    const Tensor rows = whole.tensor();
    device.fill(rows, 2);
    Var part = tape.view(whole, rows.slice(1, 2).reshaped({kSize}));
    whole = {};
    const Var other = tape.make({2, kSize});  // not in its place
    device.fill(other.tensor(), 5);
    tape.backward(scale(tape, part, a));
    part = {};
  }
  EXPECT_EQ(a.gradient, std::vector<float>(kSize, 2.f));
  tape.clear();
  EXPECT_EQ(arena.bytes_in_use(), before);
}

TEST_F(TapeTest, ClearRefusesLivingValues) {
  Var x = leaf();
  EXPECT_ANY_THROW(tape.clear());
}

}  // namespace
}  // namespace edt
