#include "parallel/comm/threads/thread_ranks.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <thread>

#include "collective_cases.h"

namespace edt {
namespace {

using ::testing::HasSubstr;

class ThreadRanks : public ::testing::TestWithParam<int> {};

TEST_P(ThreadRanks, Sums) { run_ranks(GetParam(), test::check_sums); }
TEST_P(ThreadRanks, OtherReductions) { run_ranks(GetParam(), test::check_other_reductions); }
TEST_P(ThreadRanks, Parts) { run_ranks(GetParam(), test::check_parts); }
TEST_P(ThreadRanks, Groups) { run_ranks(GetParam(), test::check_groups); }
TEST_P(ThreadRanks, BFloat16Wire) { run_ranks(GetParam(), test::check_bfloat16_wire); }
TEST_P(ThreadRanks, WiresThatRoundOnce) {
  run_ranks(GetParam(), test::check_wires_that_round_once);
}
TEST_P(ThreadRanks, GathersAndBroadcasts) {
  run_ranks(GetParam(), test::check_gathers_and_broadcasts);
}
TEST_P(ThreadRanks, Messages) { run_ranks(GetParam(), test::check_messages); }
TEST_P(ThreadRanks, Split) { run_ranks(GetParam(), test::check_split); }
TEST_P(ThreadRanks, SideChannel) { run_ranks(GetParam(), test::check_side_channel); }
TEST_P(ThreadRanks, Timeout) { run_ranks(GetParam(), test::check_timeout); }
TEST_P(ThreadRanks, Disagreement) { run_ranks(GetParam(), test::check_disagreement); }
TEST_P(ThreadRanks, ConcurrentCommunicators) {
  run_ranks(GetParam(), test::check_concurrent_communicators);
}
// Hardly any message is full, hardly any window is.
TEST_P(ThreadRanks, TinyMessages) {
  for (const auto& check : {test::check_parts, test::check_groups}) {
    run_ranks(GetParam(), check, {.flow = {.message_bytes = 4096, .window = 1}, .whole_bytes = 0});
  }
}
INSTANTIATE_TEST_SUITE_P(Ranks, ThreadRanks, ::testing::Values(1, 2, 3, 4, 5, 8, 6, 12));

TEST(ThreadRanksFail, AnExceptionEndsTheOthersAndIsRethrown) {
  std::atomic<int> ended = 0;
  try {
    run_ranks(4, [&](Communicator& ranks) {
      if (ranks.rank() == 2) fail<DataError>("shard", "is damaged");
      try {
        ranks.barrier("before the step");
      } catch (const CommunicationError& error) {
        EXPECT_THAT(error.what(), HasSubstr("stops: rank 2 failed: [shard] is damaged"));
        ++ended;
        throw;
      }
    });
    FAIL() << "nothing was thrown";
  } catch (const DataError& error) {
    EXPECT_STREQ(error.what(), "[shard] is damaged");
  }
  EXPECT_EQ(ended, 3);
}

TEST(ThreadRanksFail, SizesThatDifferAreNamed) {
  try {
    run_ranks(2, [](Communicator& ranks) {
      std::vector<float> values(ranks.rank() == 0 ? 10 : 12);
      ranks.all_reduce(view_of(std::span<float>(values), {static_cast<int>(values.size())}),
                       Reduce::kSum, "values");
    });
    FAIL() << "nothing was thrown";
  } catch (const CommunicationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("[all_reduce] \"values\", #1 of \"world\""));
    EXPECT_THAT(error.what(), HasSubstr("has"));
    EXPECT_THAT(error.what(),
                ::testing::ContainsRegex("(40|48) bytes (for|from) rank [01], which has (40|48)"));
  }
}

TEST(ThreadRanksFail, AbortEndsAllRanks) {
  std::atomic<int> ended = 0;
  EXPECT_THROW(run_ranks(3,
                         [&](Communicator& ranks) {
                           if (ranks.rank() == 0) ranks.abort(1);
                           try {
                             ranks.barrier("never");
                           } catch (const CommunicationError&) {
                             ++ended;
                             throw;
                           }
                         }),
               TransportError);
  EXPECT_EQ(ended, 2);
}

}  // namespace
}  // namespace edt
