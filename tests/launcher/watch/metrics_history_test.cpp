#include "launcher/watch/metrics_history.h"

#include <gmock/gmock-matchers.h>

#include <fstream>

#include "tests/launcher/watch/written_run.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::ElementsAre;
using testing::Pair;

class History : public testing::Test {
 protected:
  void append(const std::string& text) const {
    std::ofstream(file_, std::ios::binary | std::ios::app) << text;
  }
  // As a resumed run does it: a new file takes the name.
  void replace(const std::string& text) const {
    test::write_text(directory_ / "new", text);
    std::filesystem::rename(directory_ / "new", file_);
  }

  const test::TempDir directory_;
  const std::filesystem::path file_ = directory_ / "metrics.jsonl";
  MetricsHistory history_{file_};
};

TEST_F(History, ReadsWhatIsAppendedAndWaitsForTheEndOfALine) {
  EXPECT_FALSE(history_.refresh()) << "there is no file yet";
  EXPECT_TRUE(history_.empty());
  const std::string third = metrics_line({.step = 3, .loss = 0.25});
  append(metrics_text(2) + third.substr(0, 40));
  EXPECT_TRUE(history_.refresh());
  EXPECT_EQ(history_.last().step, 2);
  append(third.substr(40));
  EXPECT_TRUE(history_.refresh());
  EXPECT_EQ(history_.last().step, 3);
  EXPECT_EQ(history_.last().loss, 0.25);
  EXPECT_EQ(history_.bad_lines(), 0);
  EXPECT_EQ(history_.steps(), 3);
  EXPECT_FALSE(history_.refresh());
}

TEST_F(History, BeginsAgainWhenAResumedRunHasReplacedTheFile) {
  append(metrics_text(10));
  history_.refresh();
  replace(metrics_text(6) + metrics_line({.step = 7, .loss = 0.125, .generation = 2}));
  history_.refresh();
  EXPECT_EQ(history_.steps(), 7);
  EXPECT_EQ(history_.last().loss, 0.125);
  EXPECT_THAT(history_.restarts(), ElementsAre(7));
  test::write_text(file_, metrics_text(4));  // cut short in place
  history_.refresh();
  EXPECT_EQ(history_.steps(), 4);
  EXPECT_THAT(history_.restarts(), ElementsAre());
}

TEST_F(History, LinesThatAreNoRecordsAreCounted) {
  append(metrics_text(1) + "{\"step\":2,\n\nnull\n[1]\n{\"loss\":1}\n" + metrics_line({.step = 1}) +
         metrics_line({.step = 5}));
  history_.refresh();
  EXPECT_EQ(history_.steps(), 2);
  EXPECT_EQ(history_.last().step, 5);
  EXPECT_EQ(history_.bad_lines(), 6) << "five that are none, and a step that was there already";
}

TEST_F(History, NotFiniteValuesAndEventsAreKept) {
  append(metrics_text(2));
  append("{\"step\":3,\"loss\":null,\"grad_norm\":null,\"skipped\":\"loss\"}\n");
  append(metrics_line({.step = 4, .more = ",\"spike\":\"loss \\\"5\\\"\""}));
  history_.refresh();
  EXPECT_EQ(history_.curve(&MetricsRecord::loss).not_finite(), 1);
  EXPECT_EQ(history_.curve(&MetricsRecord::loss).buckets().size(), 3u);
  EXPECT_THAT(history_.event_counts(), ElementsAre(Pair("skipped", 1), Pair("spike", 1)));
  EXPECT_EQ(history_.events().back().text, "loss \"5\"");
  EXPECT_NEAR(history_.recent_mean(&MetricsRecord::grad_norm), 0.25, 1e-12);
}

TEST_F(History, SharesAreOfTimeNotOfSteps) {
  append(
      "{\"step\":1,\"step_seconds\":1,\"time_share\":{\"data\":0.5,\"compute\":0.5}}\n"
      "{\"step\":2,\"step_seconds\":3,\"time_share\":{\"data\":0.1,\"compute\":0.9}}\n");
  history_.refresh();
  const auto shares = history_.recent_shares();
  ASSERT_EQ(shares.size(), 2u);
  EXPECT_EQ(shares[0].first, "data");
  EXPECT_NEAR(shares[0].second, (0.5 + 0.3) / 4, 1e-12);
  EXPECT_NEAR(shares[1].second, (0.5 + 2.7) / 4, 1e-12);
}

TEST_F(History, MemoryIsBounded) {
  append(metrics_text(5000));
  history_.refresh();
  EXPECT_EQ(history_.recent().size(), MetricsHistory::kRecent);
  EXPECT_LE(history_.curve(&MetricsRecord::loss).buckets().size(), 1024u);
  EXPECT_EQ(history_.steps(), 5000);
  EXPECT_NEAR(history_.trained_seconds(), 5000, 1e-6);
}

TEST(FollowedFile, ALogThatIsRotatedLosesNoLine) {
  const test::TempDir directory;
  const auto log = directory / "rank.log";
  test::write_text(log, "one\ntwo\n");
  FollowedFile file(log);
  std::vector<std::string> lines;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  file.look(take);
  std::ofstream(log, std::ios::app) << "three\n";
  std::filesystem::rename(log, directory / "rank.1.log");
  test::write_text(log, "four\n");
  file.look(take);
  EXPECT_THAT(lines, ElementsAre("one", "two", "three", "four"));
}

TEST(FollowedFile, BeginsNearTheEndAndDropsEndlessLines) {
  const test::TempDir directory;
  const auto log = directory / "rank.log";
  test::write_text(log, "first line\nsecond line\n");
  FollowedFile file(log);
  file.begin_with_last(15);
  std::vector<std::string> lines;
  const auto take = [&](std::string_view line) { lines.emplace_back(line.substr(0, 20)); };
  file.look(take);
  EXPECT_THAT(lines, ElementsAre("second line"));
  std::ofstream(log, std::ios::app)
      << std::string(FollowedFile::kLongestLine * 2, 'x') << "\nlast\n";
  file.look(take);
  EXPECT_THAT(lines, ElementsAre("second line", "last"));
}

}  // namespace
}  // namespace edt
