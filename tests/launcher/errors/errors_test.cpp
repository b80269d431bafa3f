// What ends a job of several ranks is printed once, alone, and its status is the job's.
#include <gmock/gmock-matchers.h>

#include "launcher/error_agreement.h"
#include "tests/support/mpirun.h"
#include "tests/support/places.h"

namespace edt::test {
namespace {

using ::testing::MatchesRegex;

CommandOutcome failing(int ranks, const std::string& command) {
  const std::string program = in_build("tests/launcher/errors/failing_program").string();
  return mpirun(fmt::format("-np {} {} {}", ranks, program, command), "2>&1");
}

class FailingRanks : public ::testing::TestWithParam<int> {};

TEST_P(FailingRanks, SayOnceWhatAllHaveFound) {
  for (const char* command : {"all-fail", "one-after-the-other"}) {
    const CommandOutcome outcome = failing(GetParam(), command);
    EXPECT_EQ(outcome.status, 2) << command;
    EXPECT_EQ(outcome.output, "edt: error: [here] all of them\n") << command;
  }
}

// Whichever it is, also rank 0, and wherever the others wait for it.
TEST_P(FailingRanks, NameTheOnlyOne) {
  for (int rank = 0; rank < GetParam(); ++rank) {
    const CommandOutcome outcome = failing(GetParam(), fmt::format("one-fails {}", rank));
    EXPECT_EQ(outcome.status, 2) << rank;
    EXPECT_THAT(outcome.output, MatchesRegex(fmt::format("edt: error: rank {} of {} on [^ ]*: "
                                                         "\\[here\\] no file on this node\n",
                                                         rank, GetParam())));
  }
}

TEST_P(FailingRanks, SayWhatTheFirstHasFoundWhereAllDiffer) {
  const CommandOutcome outcome = failing(GetParam(), "each-fails");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.output,
              MatchesRegex(fmt::format("edt: error: rank 0 of {} on [^ ]*: \\[here\\] error 0; "
                                       "other errors on {}\n",
                                       GetParam(), GetParam() - 1)));
}

TEST_P(FailingRanks, DoNotWaitForThoseThatCompute) {
  for (const int rank : {0, GetParam() - 1}) {
    const CommandOutcome outcome = failing(GetParam(), fmt::format("fails-alone {}", rank));
    EXPECT_EQ(outcome.status, 2);  // bad input, whenever it is met
    EXPECT_THAT(outcome.output,
                MatchesRegex(fmt::format("edt: error: rank {} of {} on [^ ]*: \\[here\\] alone\n",
                                         rank, GetParam())));
  }
}

TEST_P(FailingRanks, EndWithTheStatusOfTheError) {
  const CommandOutcome outcome = failing(GetParam(), "disk-is-full");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_EQ(outcome.output, "edt: error: [disk] full\n");
}

INSTANTIATE_TEST_SUITE_P(Ranks, FailingRanks, ::testing::Values(2, 3, 4));

TEST(FailingRank, OfACommandThatRunsOnTheFirstOnly) {
  const CommandOutcome outcome = failing(3, "root-fails");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.output,
              MatchesRegex("edt: error: rank 0 of 3 on [^ ]*: \\[here\\] all of them\n"));
}

TEST(FailingRank, OthersThatFindTheSameAreCounted) {
  const CommandOutcome outcome = failing(4, "one-does-not 2");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.output, MatchesRegex("edt: error: rank 0 of 4 on [^ ]*: \\[here\\] no file "
                                           "on this node; the same on 3 ranks in all\n"));
}

TEST(ErrorLine, IsOneLine) {
  const RankError first{1, "rank 1 of 4 on a", "x\ny", 2}, second{3, "rank 3 of 4 on b", "z", 1};
  EXPECT_EQ(error_line({first, second}, 4), "edt: error: rank 1 of 4 on a: x y; other errors on 1");
  EXPECT_EQ(error_line({first, first, second}, 4),
            "edt: error: rank 1 of 4 on a: x y; the same on 2 ranks in all; other errors on 1");
  EXPECT_EQ(error_line({first}, 1), "edt: error: x y");
}

}  // namespace
}  // namespace edt::test
