#include "parallel/tensor/tensor_parallel.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "core/ops/activation.h"
#include "core/reference/reference_backend.h"
#include "parallel/comm/threads/thread_ranks.h"

namespace edt {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

// A tape over the reference backend, and values in its dtype.
struct RankTape {
  explicit RankTape(DType dtype = DType::kFloat32) : tape(*backend, arena, profiler, dtype) {}

  Var leaf(const std::vector<float>& values, const Shape& shape) {
    const Tensor tensor{memory.emplace_back(backend->memory(), 8 * values.size()).data(), shape,
                        tape.dtype()};
    write(values, tensor);
    return tape.leaf(tensor, true);
  }
  void write(std::vector<float> values, const Tensor& tensor) {
    backend->copy(view_of(std::span(values), tensor.shape), tensor);
  }
  std::vector<float> read(const Tensor& tensor) {
    std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
    backend->copy(tensor, view_of(std::span(values), tensor.shape));
    return values;
  }
  void backward(const Var& y, const std::vector<float>& dy) {
    write(dy, tape.target(y.grad()).tensor);
    tape.backward();
  }

  std::unique_ptr<Backend> backend = make_reference_backend();
  Arena arena{host_memory(), 1 << 20};
  Profiler profiler;
  Tape tape;
  std::vector<Block> memory;
};

class TensorParallel : public testing::TestWithParam<DType> {};

TEST_P(TensorParallel, CopySumsGradients) {
  run_ranks(3, [](Communicator& ranks) {
    RankTape t(GetParam());
    const auto rank = static_cast<float>(ranks.rank());
    {
      const Var x = t.leaf({1, 2}, {1, 2});
      const Var y = copy_to_tensor_ranks(t.tape, x, {&ranks}, "input");
      EXPECT_THAT(t.read(y.tensor()), ElementsAre(1, 2));
      t.backward(y, {rank, 10 * rank});
      EXPECT_THAT(t.read(t.tape.grad_of(x)), ElementsAre(3, 30));
    }
    t.tape.clear();
  });
}

// As the condition of all adaLN projections: one sum for all that read the copy.
TEST_P(TensorParallel, CopySumsOnceForAllReaders) {
  run_ranks(2, [](Communicator& ranks) {
    RankTape t(GetParam());
    const auto rank = static_cast<float>(ranks.rank());
    {
      const Var x = t.leaf({1, 2}, {1, 2});
      const Var copy = copy_to_tensor_ranks(t.tape, x, {&ranks}, "condition");
      const std::uint64_t before = ranks.collectives();
      const Var y = add(t.tape, add(t.tape, copy, copy), x);
      t.backward(y, {rank + 1, 1});
      EXPECT_EQ(ranks.collectives(), before + 1);
      EXPECT_THAT(t.read(t.tape.grad_of(x)), ElementsAre(2 * (1 + 2) + rank + 1, 2 * 2 + 1));
    }
    t.tape.clear();
  });
}

TEST_P(TensorParallel, SumHandsTheGradientOn) {
  run_ranks(3, [](Communicator& ranks) {
    RankTape t(GetParam());
    const auto rank = static_cast<float>(ranks.rank());
    {
      const Var x = t.leaf({rank, 1}, {1, 2});
      const Var y = sum_over_tensor_ranks(t.tape, x, {&ranks}, "output");
      EXPECT_THAT(t.read(y.tensor()), ElementsAre(3, 3));
      EXPECT_THAT(t.read(x.tensor()), ElementsAre(rank, 1));
      t.backward(y, {rank, 5});
      EXPECT_THAT(t.read(t.tape.grad_of(x)), ElementsAre(rank, 5));
    }
    t.tape.clear();
  });
}

TEST_P(TensorParallel, GatherJoinsColumnsInTheOrderOfTheRanks) {
  run_ranks(3, [](Communicator& ranks) {
    RankTape t(GetParam());
    const auto rank = static_cast<float>(ranks.rank());
    {
      const Var x = t.leaf({rank, 10 + rank, 20 + rank, 30 + rank}, {2, 2});
      const Var y = gather_columns(t.tape, x, {&ranks}, "columns");
      EXPECT_EQ(y.shape(), (Shape{2, 6}));
      EXPECT_THAT(t.read(y.tensor()),
                  ElementsAreArray({0, 10, 1, 11, 2, 12, 20, 30, 21, 31, 22, 32}));
      const Var z = add(t.tape, x, x);  // the gradient of the columns adds to this one
      t.write({1, 1, 1, 1}, t.tape.target(z.grad()).tensor);
      t.backward(y, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
      const float at = 2 * rank;
      EXPECT_THAT(t.read(t.tape.grad_of(x)), ElementsAre(at + 2, at + 3, at + 8, at + 9));
    }
    t.tape.clear();
  });
}

TEST_P(TensorParallel, InsideRecomputeAndWithoutGradients) {
  run_ranks(2, [](Communicator& ranks) {
    RankTape t(GetParam());
    const TensorGroup group{&ranks};
    const auto rank = static_cast<float>(ranks.rank());
    {
      const Var x = t.leaf({1, 2}, {1, 2});
      const auto body = [&t, x, group] {
        const Var own = add(t.tape, copy_to_tensor_ranks(t.tape, x, group, "input"), x);
        return sum_over_tensor_ranks(t.tape, own, group, "output");
      };
      const Var y = t.tape.recompute(body);
      EXPECT_THAT(t.read(y.tensor()), ElementsAre(4, 8));
      EXPECT_EQ(ranks.collectives(), 1u);
      t.backward(y, {rank + 1, 1});
      EXPECT_EQ(ranks.collectives(), 3u);  // the output again, and the gradient of the input
      EXPECT_THAT(t.read(t.tape.grad_of(x)), ElementsAre(3 + rank + 1, 3));
      const Tape::NoGrad inference(t.tape);
      EXPECT_THAT(t.read(body().tensor()), ElementsAre(4, 8));
    }
    t.tape.clear();
  });
}

INSTANTIATE_TEST_SUITE_P(Types, TensorParallel,
                         testing::Values(DType::kFloat32, DType::kBFloat16, DType::kFloat64),
                         [](const auto& test) { return std::string(name_of(test.param)); });

// 1 + 2^-9 + 2^-9 + 2^-8 = 1 + 2^-7 is a bf16; sums in bf16 lose the small terms.
TEST(TensorParallelRounding, Bfloat16IsRoundedOnce) {
  run_ranks(4, [](Communicator& ranks) {
    RankTape t(DType::kBFloat16);
    constexpr float kSmall = 1.f / 512;
    const float values[] = {1, kSmall, kSmall, 2 * kSmall};
    {
      const Var x = t.leaf({values[ranks.rank()]}, {1, 1});
      const Var y = sum_over_tensor_ranks(t.tape, x, {&ranks}, "output");
      EXPECT_EQ(t.read(y.tensor())[0], 1 + 4 * kSmall);
      t.backward(y, {1});
    }
    t.tape.clear();
  });
}

TEST(TensorParallelAlone, OneRankChangesNothing) {
  RankTape t;
  {
    const Var x = t.leaf({1, 2}, {1, 2});
    for (const Var& y :
         {copy_to_tensor_ranks(t.tape, x, {}, "a"), sum_over_tensor_ranks(t.tape, x, {}, "b"),
          gather_columns(t.tape, x, {}, "c")}) {
      EXPECT_EQ(y.tensor().data, x.tensor().data);
    }
    EXPECT_EQ(t.tape.recorded_nodes(), 0u);
  }
  t.tape.clear();
}

}  // namespace
}  // namespace edt
