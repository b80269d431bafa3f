#include "core/optim/optimizer.h"

#include <gmock/gmock-matchers.h>

#include <bit>
#include <cmath>
#include <string>

#include "core/base/error.h"
#include "core/random/stream.h"
#include "tests/support/omp_threads.h"

namespace edt {
namespace {

std::vector<std::uint32_t> bits(const std::vector<float>& values) {
  std::vector<std::uint32_t> out;
  for (float value : values) out.push_back(std::bit_cast<std::uint32_t>(value));
  return out;
}

// Everything an optimizer owns for one flat buffer.
struct Buffers {
  std::vector<float> params, grads, ema;
  std::vector<std::vector<float>> states;
  std::vector<bfloat16> working;

  Buffers(const Optimizer& optimizer, std::vector<float> initial)
      : params(std::move(initial)),
        grads(params.size()),
        ema(params),
        states(static_cast<std::size_t>(optimizer.state_count()),
               std::vector<float>(params.size())),
        working(params.size()) {}

  // Updates elements [begin, end) as a shard of its own.
  void update(const Optimizer& optimizer, UpdateArgs args, std::size_t begin, std::size_t end) {
    const std::size_t n = end - begin;
    std::vector<std::span<float>> shards;
    for (auto& state : states) shards.push_back(std::span(state).subspan(begin, n));
    args.params = std::span(params).subspan(begin, n);
    args.grads = std::span(grads).subspan(begin, n);
    args.states = shards;
    args.ema = std::span(ema).subspan(begin, n);
    args.working = std::span(working).subspan(begin, n);
    optimizer.update(args);
  }
};

class AnyOptimizer : public testing::TestWithParam<OptimizerConfig> {
 protected:
  static std::vector<float> normals(std::uint32_t stream, std::size_t n) {
    std::vector<float> values(n);
    random::fill_normal({.seed = 7, .sample = stream}, values);
    return values;
  }

  // Three updates over shards that end at `cuts`.
  Buffers train(const std::vector<std::size_t>& cuts) {
    const auto optimizer = make_optimizer(GetParam());
    Buffers buffers(*optimizer, normals(0, cuts.back()));
    for (std::int64_t step = 1; step <= 3; ++step) {
      buffers.grads = normals(static_cast<std::uint32_t>(step), cuts.back());
      std::size_t begin = 0;
      for (std::size_t end : cuts) {
        buffers.update(*optimizer,
                       {.step = step, .learning_rate = 1e-3, .grad_scale = 0.7, .ema_decay = 0.99},
                       begin, end);
        begin = end;
      }
    }
    return buffers;
  }

  static void expect_same_bits(const Buffers& a, const Buffers& b) {
    EXPECT_EQ(bits(a.params), bits(b.params));
    EXPECT_EQ(bits(a.ema), bits(b.ema));
    for (std::size_t i = 0; i < a.states.size(); ++i)
      EXPECT_EQ(bits(a.states[i]), bits(b.states[i]));
    for (std::size_t i = 0; i < a.working.size(); ++i) {
      ASSERT_EQ(a.working[i].bits, b.working[i].bits);
    }
  }
};

TEST_P(AnyOptimizer, ShardsCutAnywhereGiveTheSameBits) {
  const std::size_t n = 20011;
  expect_same_bits(train({n}), train({1, 4, 11, 26, 4096, 4101, 9000, 13333, n - 1, n}));
}

TEST_P(AnyOptimizer, ThreadCountDoesNotChangeBits) {
  const auto with_threads = [&](int count) {
    const test::OmpThreads threads(count);
    return train({20011});
  };
  expect_same_bits(with_threads(1), with_threads(3));
}

TEST_P(AnyOptimizer, AverageFollowsAndWorkingCopyIsRounded) {
  const auto optimizer = make_optimizer(GetParam());
  Buffers buffers(*optimizer, normals(0, 100));
  const auto ema_before = buffers.ema;
  buffers.grads = normals(1, 100);
  buffers.update(*optimizer, {.step = 1, .learning_rate = 0.1, .ema_decay = 0.75}, 0, 100);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_NE(buffers.params[i], ema_before[i]);
    EXPECT_FLOAT_EQ(buffers.ema[i], 0.75f * ema_before[i] + 0.25f * buffers.params[i]);
    EXPECT_EQ(buffers.working[i].bits, bfloat16(buffers.params[i]).bits);
  }
}

TEST_P(AnyOptimizer, AverageAndWorkingCopyAreOptional) {
  const auto optimizer = make_optimizer(GetParam());
  Buffers with(*optimizer, normals(0, 5000)), without(*optimizer, normals(0, 5000));
  with.grads = without.grads = normals(1, 5000);
  with.update(*optimizer, {.step = 1, .learning_rate = 0.1}, 0, 5000);
  std::vector<std::span<float>> states(without.states.begin(), without.states.end());
  optimizer->update({.params = without.params,
                     .grads = without.grads,
                     .states = states,
                     .step = 1,
                     .learning_rate = 0.1});
  EXPECT_EQ(bits(with.params), bits(without.params));
}

INSTANTIATE_TEST_SUITE_P(All, AnyOptimizer,
                         testing::Values(OptimizerConfig{AdanConfig{.weight_decay = 0.02}},
                                         OptimizerConfig{
                                             AdanConfig{.weight_decay = 0.02, .no_prox = true}},
                                         OptimizerConfig{AdamWConfig{}}));

TEST(Optimizer, NamesItsState) {
  const auto adan = make_optimizer(AdanConfig{});
  EXPECT_EQ(adan->name(), "adan");
  EXPECT_THAT(adan->state_names(),
              testing::ElementsAre("exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad"));
  EXPECT_THAT(make_optimizer(AdamWConfig{})->state_names(),
              testing::ElementsAre("exp_avg", "exp_avg_sq"));
}

TEST(Optimizer, RefusesHyperParametersOutOfRange) {
  EXPECT_THROW(make_optimizer(AdanConfig{.betas = {0.9, 1.0, 0.9}}), UsageError);
  EXPECT_THROW(make_optimizer(AdanConfig{.eps = 0}), UsageError);
  EXPECT_THROW(make_optimizer(AdamWConfig{.weight_decay = -1}), UsageError);
  EXPECT_THROW(make_optimizer(AdamWConfig{.betas = {NAN, 0.9}}), UsageError);
}

}  // namespace
}  // namespace edt
