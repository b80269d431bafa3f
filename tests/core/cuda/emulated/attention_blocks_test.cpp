// How many warps a block of attention's forward kernels has, and whether the distances of its
// tokens were known when it was compiled, changes no bit.
#include <gtest/gtest.h>

#include "tests/core/cuda/emulated/attention_operands.h"

namespace edt {
namespace {

TEST(EmulatedAttention, HasTheSameBitsInAnyBlocks) {
  for (const TokenGrid& grid : {TokenGrid{16, 16}, {8, 16}, {9, 16}, {8, 8}}) {
    for (const std::int64_t size : {52, 64, 72}) {
      SCOPED_TRACE(fmt::format("{}, heads of {}", to_string(grid), size));
      test::AttentionOperands operands(grid, 1, 1, size);
      const auto results = [&](int warps, bool looked_up) {
        launch_attention_tensor(operands.stream(), operands.call(looked_up), warps);
        return operands.results();
      };
      const std::vector<float> expected = results(4, true);
      EXPECT_EQ(results(4, false), expected);
      EXPECT_EQ(results(8, true), expected);
      EXPECT_EQ(results(8, false), expected);
    }
  }
}

}  // namespace
}  // namespace edt
