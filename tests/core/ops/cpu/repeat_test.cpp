#include "core/ops/repeat.h"

#include <gtest/gtest.h>

#include "core/cpu/cpu_backend.h"

namespace edt {
namespace {

TEST(Repeat, CopiesTheBatchAndSumsItsGradients) {
  const auto backend = make_cpu_backend();
  Arena arena(backend->memory());
  Profiler profiler;
  Tape tape(*backend, arena, profiler, DType::kFloat32);
  std::vector<float> input{1, 2, 3, 4, 5, 6};
  {
    const Var x = tape.leaf(view_of(std::span(input), {2, 3}), true);
    const Var y = repeat_batch(tape, x, 3);
    EXPECT_EQ(y.shape(), (Shape{6, 3}));
    const auto out = y.tensor().span<float>();
    for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], input[i % 6]);

    const auto dy = tape.target(y.grad()).tensor.span<float>();
    for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = static_cast<float>(i);
    tape.backward();
    const auto dx = tape.grad_of(x).span<float>();
    for (std::size_t i = 0; i < dx.size(); ++i) EXPECT_EQ(dx[i], 3 * static_cast<float>(i) + 18);
  }
  tape.clear();
}

TEST(Repeat, AddsToAGradientThatIsThere) {
  const auto backend = make_cpu_backend();
  Arena arena(backend->memory());
  Profiler profiler;
  Tape tape(*backend, arena, profiler, DType::kFloat32);
  std::vector<float> input{1, 2};
  {
    const Var x = tape.leaf(view_of(std::span(input), {1, 2}), true);
    const Var first = repeat_batch(tape, x, 1);
    const Var second = repeat_batch(tape, x, 2);
    backend->fill(tape.target(first.grad()).tensor, 1);
    backend->fill(tape.target(second.grad()).tensor, 10);
    tape.backward();
    EXPECT_EQ(tape.grad_of(x).span<float>()[1], 21);
  }
  tape.clear();
}

}  // namespace
}  // namespace edt
