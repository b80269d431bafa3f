#include "parallel/health/diagnosis.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

namespace edt {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;
using ::testing::StartsWith;

GroupStatus group(std::string id, std::uint64_t entered, bool waiting, double seconds) {
  return {id, id, "barrier", "step", entered, waiting, seconds};
}

std::vector<HeardStatus> ranks_in(const std::vector<std::vector<GroupStatus>>& groups) {
  std::vector<HeardStatus> ranks;
  for (const auto& own : groups) ranks.push_back({{"node", "forward", 7, own}});
  return ranks;
}

TEST(Diagnosis, NobodyIsBlamedBeforeTheTimeout) {
  EXPECT_EQ(
      diagnose(ranks_in({{group("data", 5, true, 9)}, {group("data", 4, false, 30)}}), Seconds(10)),
      std::nullopt);
  EXPECT_THAT(diagnose(ranks_in({{group("data", 5, true, 11)}, {group("data", 4, false, 30)}}),
                       Seconds(10)),
              Optional(StartsWith("rank 1 of 2 on node stalls: has not entered barrier #5")));
}

TEST(Diagnosis, ACauseIsAwaitedThatIsNotYetLate) {
  // Rank 1 waits for rank 2, a moment less than rank 0 for rank 1.
  auto ranks = ranks_in({{group("data", 5, true, 10)},
                         {group("data", 4, false, 10), group("tensor", 3, true, 9.9)},
                         {group("tensor", 2, false, 12)}});
  EXPECT_EQ(diagnose(ranks, Seconds(10)), std::nullopt);
  ranks[1].status.groups[1].seconds = 10;
  EXPECT_THAT(diagnose(ranks, Seconds(10)), Optional(StartsWith("rank 2 of 3")));
}

TEST(Diagnosis, RanksThatWaitForEachOther) {
  EXPECT_THAT(diagnose(ranks_in({{group("a", 1, true, 11), group("b", 0, false, 20)},
                                 {group("a", 0, false, 20), group("b", 1, true, 11)}}),
                       Seconds(10)),
              Optional(HasSubstr("rank 1 of 2 on node stalls: has not entered barrier #1 "
                                 "\"step\" of \"a\"")));
}

TEST(Diagnosis, ACollectiveThatDoesNotEnd) {
  EXPECT_THAT(
      diagnose(ranks_in({{group("a", 1, true, 11)}, {group("a", 1, true, 12)}}), Seconds(10)),
      Optional(std::string("all ranks have entered barrier #1 \"step\" of \"a\", but it does not "
                           "end; ranks 0, 1 wait")));
}

// A rank that froze before it could say that it has this communicator is not counted as present.
TEST(Diagnosis, WhoIsNotHeardIsNotPresent) {
  auto ranks = ranks_in({{group("a", 1, true, 10)}, {}, {group("a", 1, true, 10)}});
  ranks[1].silent = 9;
  EXPECT_EQ(diagnose(ranks, Seconds(10)), std::nullopt);
  ranks[1].silent = 10.1;
  EXPECT_THAT(diagnose(ranks, Seconds(10)),
              Optional(StartsWith("rank 1 of 3 on node stalls: no sign")));
}

TEST(Diagnosis, SilenceUnlessItHasEnded) {
  auto ranks = ranks_in({{}, {}});
  ranks[1].silent = 11;
  EXPECT_THAT(
      diagnose(ranks, Seconds(10)),
      Optional(std::string("rank 1 of 2 on node stalls: no sign of life for 11 s (last heard "
                           "of in phase \"forward\", before any collective)")));
  ranks[1].ended = true;
  EXPECT_EQ(diagnose(ranks, Seconds(10)), std::nullopt);
}

TEST(Diagnosis, NoProgressWhileNobodyWaits) {
  auto ranks = ranks_in({{group("data", 5, false, 3)}, {group("data", 5, false, 16)}});
  ranks[1].status.phase = "data";
  ranks[1].status.idle = 14;
  EXPECT_EQ(diagnose(ranks, Seconds(10)), std::nullopt)
      << "those who wait say more, they come first";
  ranks[1].status.idle = 16;
  EXPECT_THAT(diagnose(ranks, Seconds(10)),
              Optional(std::string("rank 1 of 2 on node stalls: no progress for 16 s in phase "
                                   "\"data\", after barrier #5 \"step\" of \"data\"")));
  ranks[0].status.idle = 17;
  EXPECT_THAT(diagnose(ranks, Seconds(10)), Optional(HasSubstr("; so do 1 others")));
  for (auto& rank : ranks) rank.status.phase = "samples";
  EXPECT_EQ(diagnose(ranks, Seconds(10)), std::nullopt) << "pictures take as long as they take";
}

TEST(Diagnosis, SilenceSaysWhereTheRankWas) {
  auto ranks = ranks_in(
      {{group("data", 5, true, 8)}, {group("data", 4, false, 1), group("tensor", 7, true, 2)}});
  ranks[1].silent = 11;
  EXPECT_THAT(diagnose(ranks, Seconds(10)),
              Optional(HasSubstr(
                  "phase \"forward\", inside barrier #7 \"step\" of \"tensor\"); rank 0 waits "
                  "for it in barrier #5 \"step\" of \"data\"")));
}

TEST(Diagnosis, StatusTravelsAsText) {
  const RankStatus status{"node", "forward", 2.5, {group("data", 5, true, 9)}};
  const RankStatus again = rank_status_from(to_text(status));
  EXPECT_EQ(again.phase, "forward");
  ASSERT_EQ(again.groups.size(), 1u);
  EXPECT_EQ(again.groups[0].entered, 5u);
  EXPECT_TRUE(again.groups[0].waiting);
}

}  // namespace
}  // namespace edt
