// Attention backward by products of warpgroups beside the kernel for all GPUs.
#include <gtest/gtest.h>

#include "core/cuda/cuda_attention.h"
#include "tests/core/cuda/emulated/attention_operands.h"
#include "tests/core/cuda/emulation/order.h"
#include "tests/core/cuda/emulation/runtime.h"

namespace edt {
namespace {

using emulation::Order;

struct BackwardShape {
  TokenGrid grid;
  std::int64_t batch, heads, size;
};
constexpr BackwardShape kBackwardShapes[] = {{{8, 8}, 2, 3, 64},   {{8, 8}, 2, 2, 52},
                                             {{8, 8}, 1, 2, 36},   {{16, 16}, 2, 2, 52},
                                             {{16, 16}, 1, 1, 64}, {{16, 16}, 1, 2, 60}};

class EmulatedWarpgroupsBackward : public testing::Test {
 protected:
  EmulatedWarpgroupsBackward() { emulation::set_most_shared_memory(emulation::kH100SharedMemory); }
  ~EmulatedWarpgroupsBackward() override {
    emulation::set_most_shared_memory(emulation::kA100SharedMemory);
  }

  static std::vector<float> by_warpgroups(test::AttentionOperands& operands,
                                          const AttentionCall& call) {
    launch_attention_warpgroup_backward(operands.stream(), call, map_backward(call));
    return operands.gradients();
  }
  static std::vector<float> by_warps(test::AttentionOperands& operands, const AttentionCall& call) {
    launch_attention_tensor_backward(operands.stream(), call);
    return operands.gradients();
  }

  // Both round probabilities and their gradients to bf16, and float32 sums of them have other
  // orders in dq and the table: now and then one that is rounded goes to the other side.
  static void expect_alike(const std::vector<float>& groups, const std::vector<float>& warps,
                           std::size_t first, std::size_t count) {
    double squares = 0, of = 0;
    for (std::size_t i = first; i < first + count; ++i) {
      squares += (groups[i] - warps[i]) * (groups[i] - warps[i]);
      of += warps[i] * warps[i];
    }
    EXPECT_LT(squares, 1e-9 * of) << first;
  }
};

TEST_F(EmulatedWarpgroupsBackward, HasTheValuesOfTheOtherKernel) {
  for (const auto& [grid, batch, heads, size] : kBackwardShapes) {
    for (const bool accumulate : {false, true}) {
      SCOPED_TRACE(fmt::format("{} x {}, {} heads of {}, {}", batch, to_string(grid), heads, size,
                               accumulate));
      test::AttentionOperands operands(grid, batch, heads, size);
      ASSERT_TRUE(warpgroups_fit_backward(operands.sizes()));
      const std::vector<float> warps = by_warps(operands, operands.backward_call(accumulate));
      const std::vector<float> groups = by_warpgroups(operands, operands.backward_call(accumulate));
      // dqkv as a whole, and each head's table by itself.
      const std::size_t entries = static_cast<std::size_t>(grid.distances());
      const std::size_t tables = static_cast<std::size_t>(batch * heads) * entries;
      const std::size_t qkv = warps.size() - tables;
      for (std::size_t i = 0; i < warps.size(); ++i) ASSERT_NEAR(groups[i], warps[i], 0.05) << i;
      expect_alike(groups, warps, 0, qkv);
      for (std::size_t at = qkv; at < warps.size(); at += entries) {
        expect_alike(groups, warps, at, entries);
      }
    }
  }
}

TEST_F(EmulatedWarpgroupsBackward, NeedsNoTable) {
  for (const auto& [grid, batch, heads, size] : kBackwardShapes) {
    test::AttentionOperands operands(grid, batch, heads, size);
    const std::vector<float> warps = by_warps(operands, operands.backward_call(false, false));
    const std::vector<float> groups = by_warpgroups(operands, operands.backward_call(false, false));
    expect_alike(groups, warps, 0, warps.size());
  }
}

TEST_F(EmulatedWarpgroupsBackward, HasTheSameBitsInAnyOrder) {
  for (const auto& [grid, batch, heads, size] : kBackwardShapes) {
    test::AttentionOperands operands(grid, batch, heads, size);
    const std::vector<float> forward = by_warpgroups(operands, operands.backward_call());
    for (const Order order : {Order::kBackward, Order::kWarpsForward, Order::kWarpsBackward}) {
      emulation::set_order(order);
      EXPECT_EQ(by_warpgroups(operands, operands.backward_call()), forward)
          << static_cast<int>(order);
      emulation::set_order(Order::kForward);
    }
  }
}

TEST_F(EmulatedWarpgroupsBackward, TakesSquareGridsOfHeadsThatTheCopyEngineReaches) {
  const AttentionSizes sizes = test::AttentionOperands({16, 16}, 1, 2, 52).sizes();
  EXPECT_TRUE(warpgroups_fit_backward(sizes));
  const auto with = [&](auto change) {
    AttentionSizes other = sizes;
    change(other);
    return warpgroups_fit_backward(other);
  };
  EXPECT_FALSE(with([](AttentionSizes& s) { s.heads = 3; }));  // rows of 312 bytes
  EXPECT_FALSE(with([](AttentionSizes& s) { s.size = 50; }));
  EXPECT_FALSE(with([](AttentionSizes& s) { s.size = 68; }));
  EXPECT_FALSE(with([](AttentionSizes& s) { s.size = 32; }));
  EXPECT_FALSE(with([](AttentionSizes& s) { s.tokens = 192; }));  // some were dropped
  EXPECT_FALSE(with([](AttentionSizes& s) { s.rows = 8, s.tokens = 128; }));
  EXPECT_FALSE(with([](AttentionSizes& s) { s.rows = s.columns = 32, s.tokens = 1024; }));
}

// An H100's multiprocessor has 228 KiB for all of its blocks, of which each takes one more.
template <class Plan>
void expect_room() {
  EXPECT_LE(Plan::shared_bytes, emulation::kH100SharedMemory);
  EXPECT_LE(Plan::blocks * (Plan::shared_bytes + 1024), 228 * 1024);
}
TEST_F(EmulatedWarpgroupsBackward, FitsAnH100) {
  expect_room<WarpgroupBackwardPlan<8>>();
  expect_room<WarpgroupBackwardPlan<16>>();
}

}  // namespace
}  // namespace edt
