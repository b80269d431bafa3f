#include "launcher/text/progress.h"

#include <gmock/gmock-matchers.h>

#include <sstream>

namespace edt {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

struct Harness {
  double now = 100;
  std::ostringstream out;

  Progress::Settings settings(ProgressStyle style, std::int64_t begin, std::int64_t end) {
    return {"train", "steps", begin, end, style, 100, [this] { return now; }};
  }
};

TEST(Progress, LinesEveryFewSecondsWithRateAndTimeLeft) {
  Harness h;
  {
    Progress progress(h.settings(ProgressStyle::kLines, 0, 1000), h.out);
    for (int step = 1; step <= 120; ++step) {
      h.now += 0.1;
      progress.update(step, "loss 0.5");
    }
  }
  const std::string text = h.out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << text;
  EXPECT_THAT(text, HasSubstr("/1000 steps  10/s  1:3"));
  EXPECT_THAT(text, HasSubstr("left  loss 0.5\n"));
  EXPECT_THAT(text, EndsWith("train: 120/1000 steps in 12.0 s\n"));
}

TEST(Progress, ARateCountsOnlyWhatThisRunHasDone) {
  Harness h;
  Progress progress(h.settings(ProgressStyle::kLines, 900, 1000), h.out);
  h.now += 20;
  progress.update(910);
  EXPECT_EQ(h.out.str(), "train: 910/1000 steps  2 s each  3:00 left\n");
}

TEST(Progress, TheBarStaysOnItsLine) {
  Harness h;
  {
    Progress progress(h.settings(ProgressStyle::kBar, 0, 10), h.out);
    h.now += 1;
    progress.update(5, std::string(200, 'x'));
    const std::string line = h.out.str().substr(h.out.str().rfind("\x1b[K") + 3);
    EXPECT_THAT(line, testing::StartsWith("train [############............]  50%  5/10 steps"));
    EXPECT_EQ(line.size(), 99u) << "cut at the terminal's width";
    EXPECT_EQ(h.out.str().find('\n'), std::string::npos);
    progress.note("saved");
    EXPECT_THAT(h.out.str(), HasSubstr("\x1b[Ksaved\n"));
    const auto size = h.out.str().size();
    h.now += 0.01;
    progress.update(6);
    EXPECT_EQ(h.out.str().size(), size) << "redrawn at most ten times a second";
  }
  EXPECT_THAT(h.out.str(), EndsWith("\x1b[Ktrain: 6/10 steps in 1.0 s\n"));
}

TEST(Progress, SilentIsSilent) {
  Harness h;
  {
    Progress progress(h.settings(ProgressStyle::kSilent, 0, 10), h.out);
    h.now += 60;
    progress.update(5);
    progress.note("saved");
  }
  EXPECT_EQ(h.out.str(), "");
  EXPECT_EQ(progress_style(true), ProgressStyle::kSilent);
}

// The line that says what went wrong is the only one.
TEST(Progress, SaysNothingWhereAnErrorEndsTheWork) {
  Harness h;
  try {
    Progress progress(h.settings(ProgressStyle::kLines, 0, 10), h.out);
    progress.update(3);
    throw 1;
  } catch (int) {
  }
  EXPECT_EQ(h.out.str(), "");
}

}  // namespace
}  // namespace edt
