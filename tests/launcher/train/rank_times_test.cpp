#include "launcher/train/rank_times.h"

#include <gmock/gmock-more-matchers.h>

namespace edt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

RankSeconds rank(double data, double compute, double communication) {
  RankSeconds seconds;
  seconds.seconds = {10 * data, 10 * compute, 10 * communication, 1, 0};
  seconds.steps = 10;
  return seconds;
}

const std::vector<std::string> kNames{"rank 0 on a", "rank 1 on a", "rank 2 on b"};

TEST(Stragglers, ARankThatIsSlowAtSomething) {
  EXPECT_THAT(stragglers({rank(0, 1, 0.4), rank(0, 1.01, 0.4), rank(0, 1.4, 0)}, kNames),
              ElementsAre("rank 2 on b: compute 1.4 s a step, the median rank 1.0 s"));
  EXPECT_THAT(stragglers({rank(0.5, 1, 0), rank(0, 1, 0.5), rank(0, 1, 0.5)}, kNames),
              ElementsAre("rank 0 on a: data 500 ms a step, the median rank 0 us"));
}

TEST(Stragglers, NeitherNoiseNorWaiting) {
  EXPECT_THAT(stragglers({rank(0, 1, 0), rank(0, 1.1, 3), rank(0, 1.05, 0)}, kNames), IsEmpty());
  EXPECT_THAT(stragglers({rank(0.001, 1, 0), rank(0.01, 1, 0), rank(0.001, 1, 0)}, kNames),
              IsEmpty())
      << "ten times as slow, and one percent of the step";
}

TEST(Stragglers, TwoRanksAreMeasuredByTheFaster) {
  EXPECT_THAT(stragglers({rank(0, 1, 1), rank(0, 2, 0)}, kNames),
              ElementsAre(HasSubstr("rank 1 on a: compute 2.0 s")));
}

TEST(TimeTable, LowestMeanHighest) {
  const std::string table = time_table({rank(0, 1, 0), rank(0, 3, 0)}, kNames);
  EXPECT_THAT(table, testing::ContainsRegex("compute +95.2 % +1.0 s +2.0 s +3.0 s +rank 1 on a"));
}

}  // namespace
}  // namespace edt
