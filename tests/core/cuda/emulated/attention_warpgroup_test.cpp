// Attention by products of warpgroups beside the kernel for all GPUs.
#include <gtest/gtest.h>

#include "core/cuda/cuda_attention.h"
#include "tests/core/cuda/emulated/attention_operands.h"
#include "tests/core/cuda/emulation/order.h"

namespace edt {
namespace {

using emulation::Order;

struct Shape4 {
  TokenGrid grid;
  std::int64_t batch, heads, size;
};
constexpr Shape4 kShapes[] = {{{8, 8}, 2, 3, 64},   {{8, 8}, 1, 2, 52},   {{8, 8}, 1, 1, 72},
                              {{4, 16}, 2, 2, 72},  {{16, 16}, 1, 2, 52}, {{16, 16}, 2, 1, 72},
                              {{16, 16}, 1, 1, 64}, {{8, 16}, 1, 1, 64},  {{12, 16}, 1, 1, 80},
                              {{16, 8}, 1, 2, 52},  {{8, 8}, 2, 4, 36}};

std::vector<float> by_warpgroups(test::AttentionOperands& operands) {
  const AttentionCall call = operands.call();
  launch_attention_warpgroup(operands.stream(), call, map_qkv(call));
  return operands.results();
}

// Values of up to 3: a rounding to bf16 more or less.
TEST(EmulatedWarpgroups, HaveTheValuesOfTheOtherKernel) {
  for (const auto& [grid, batch, heads, size] : kShapes) {
    SCOPED_TRACE(fmt::format("{} x {}, {} heads of {}", batch, to_string(grid), heads, size));
    test::AttentionOperands operands(grid, batch, heads, size);
    ASSERT_TRUE(warpgroups_fit(operands.sizes()));
    const std::vector<float> groups = by_warpgroups(operands);
    launch_attention_tensor(operands.stream(), operands.call(), 4);
    const std::vector<float> warps = operands.results();
    double squares = 0, of = 0;
    for (std::size_t i = 0; i < warps.size(); ++i) {
      ASSERT_NEAR(groups[i], warps[i], 0.02) << i;
      squares += (groups[i] - warps[i]) * (groups[i] - warps[i]);
      of += warps[i] * warps[i];
    }
    EXPECT_LT(squares, 1e-6 * of);
  }
}

TEST(EmulatedWarpgroups, HaveTheSameBitsInAnyOrder) {
  for (const auto& [grid, batch, heads, size] : kShapes) {
    test::AttentionOperands operands(grid, batch, heads, size);
    const std::vector<float> forward = by_warpgroups(operands);
    for (const Order order : {Order::kBackward, Order::kWarpsForward, Order::kWarpsBackward}) {
      emulation::set_order(order);
      EXPECT_EQ(by_warpgroups(operands), forward) << static_cast<int>(order);
      emulation::set_order(Order::kForward);
    }
  }
}

TEST(EmulatedWarpgroups, TakeWhatTheCopyEngineCanReach) {
  const AttentionSizes sizes = test::AttentionOperands({16, 16}, 1, 2, 52).sizes();
  EXPECT_TRUE(warpgroups_fit(sizes));
  const auto with = [&](auto change) {
    AttentionSizes other = sizes;
    change(other);
    return warpgroups_fit(other);
  };
  EXPECT_FALSE(with([](AttentionSizes& s) { s.heads = 3; }));  // rows of 936 bytes
  EXPECT_FALSE(with([](AttentionSizes& s) { s.size = 50; }));
  EXPECT_FALSE(with([](AttentionSizes& s) { s.size = 84; }));
  EXPECT_FALSE(with([](AttentionSizes& s) { s.tokens = 192; }));  // some were dropped
  EXPECT_FALSE(with([](AttentionSizes& s) { s.rows = 32, s.tokens = 512; }));
  EXPECT_FALSE(with([](AttentionSizes& s) { s.rows = 8, s.columns = 32; }));
  EXPECT_FALSE(with([](AttentionSizes& s) { s.rows = 9, s.tokens = 144; }));
}

}  // namespace
}  // namespace edt
