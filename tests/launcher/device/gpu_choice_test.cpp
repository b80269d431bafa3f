#include "launcher/device/gpu_choice.h"

#include <gtest/gtest.h>

#include "tests/core/storage/expect_error.h"

namespace edt {
namespace {

const std::vector<std::string> kFour{"0000:01", "0000:02", "0000:03", "0000:04"};

TEST(GpuChoice, RanksOfANodeTakeItsGpusInOrder) {
  std::vector<RankGpus> ranks;
  for (int r = 0; r < 8; ++r) ranks.push_back({r < 4 ? "node1" : "node2", kFour});
  for (int r = 0; r < 8; ++r) EXPECT_EQ(choose_gpu(ranks, r, false), r % 4);
}

// As Slurm's --gpus-per-task binds them: each rank sees its own as number 0.
TEST(GpuChoice, ARankThatSeesOneGpuOfItsOwnTakesIt) {
  const std::vector<RankGpus> ranks{{"node1", {kFour[0]}}, {"node1", {kFour[1]}}};
  EXPECT_EQ(choose_gpu(ranks, 0, false), 0);
  EXPECT_EQ(choose_gpu(ranks, 1, false), 0);
}

TEST(GpuChoice, MoreRanksThanGpusAreRefusedUnlessTheyMayShare) {
  const std::vector<RankGpus> ranks(3, {"node1", {kFour[0], kFour[1]}});
  EXPECT_ERROR(choose_gpu(ranks, 0, false), UsageError, "3 ranks on node1 see the same 2 GPUs");
  EXPECT_EQ(choose_gpu(ranks, 1, true), 1);
  EXPECT_EQ(choose_gpu(ranks, 2, true), 0);
}

TEST(GpuChoice, OneGpuForTwoRanksByDifferentListsIsRefused) {
  const std::vector<RankGpus> ranks{{"node1", {kFour[1], kFour[0]}}, {"node1", {kFour[1]}}};
  EXPECT_ERROR(choose_gpu(ranks, 1, false), UsageError,
               "ranks 0 and 1 on node1 would both take GPU 0000:02");
}

TEST(GpuChoice, ANodeWithoutGpusIsNamedOnEveryRank) {
  const std::vector<RankGpus> ranks{{"node1", kFour}, {"node2", {}, "no driver"}};
  EXPECT_ERROR(choose_gpu(ranks, 0, false), UsageError, "rank 1 on node2 sees no GPU: no driver");
}

}  // namespace
}  // namespace edt
