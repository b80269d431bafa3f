#include "launcher/watch/run_view.h"

#include <fcntl.h>
#include <gmock/gmock-matchers.h>
#include <sys/stat.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "launcher/run/run_lock.h"
#include "launcher/watch/plots.h"
#include "launcher/watch/watch_charts.h"
#include "launcher/watch/watch_json.h"
#include "launcher/watch/wording.h"
#include "tests/launcher/watch/written_run.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class View : public testing::Test {
 protected:
  std::string state() const { return state_text(*seen({run_}).front()); }

  const test::TempDir directory_;
  const std::filesystem::path run_ = directory_ / "run";
};

TEST_F(View, TheStateComesFromLockAndOutcome) {
  write_run(run_, metrics_text(100));
  EXPECT_EQ(state(), "lost") << "no lock, no outcome";
  test::write_text(run_ / "outcome.json", "{\"status\":0,\"step\":100,\"what\":\"done\"}\n");
  EXPECT_EQ(state(), "finished");
  test::write_text(run_ / "outcome.json", "{\"status\":3,\"step\":100,\"what\":\"SIGTERM\"}\n");
  EXPECT_EQ(state(), "stopped");
  test::write_text(run_ / "outcome.json",
                   "{\"status\":4,\"step\":100,\"what\":\"stop is there\"}\n");
  EXPECT_EQ(state(), "held");
  test::write_text(run_ / "outcome.json", "{\"status\":1,\"step\":100,\"what\":\"loss is NaN\"}\n");
  EXPECT_EQ(state(), "failed");
  EXPECT_EQ(state_detail(*seen({run_}).front()), "loss is NaN");
  std::filesystem::remove(run_ / "outcome.json");
  {
    const RunLock lock(run_ / "lock");
    EXPECT_EQ(state(), "running");
    EXPECT_THAT(state_detail(*seen({run_}).front()), HasSubstr(fmt::format("{}", getpid())));
    test::write_text(run_ / "stop", "");
    EXPECT_EQ(state(), "stopping");
  }
  test::write_text(run_ / "lock", "elsewhere 12 boot 34 - 0\n");
  EXPECT_EQ(state(), "stopping") << "renewed just now";
  const timespec old[2] = {{.tv_sec = 1000, .tv_nsec = 0}, {.tv_sec = 1000, .tv_nsec = 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, (run_ / "lock").c_str(), old, 0), 0);
  EXPECT_EQ(state(), "silent");
}

TEST_F(View, ARunThatHasJustStartedIsStarting) {
  test::write_text(run_ / "generation", "1\n");
  const RunLock lock(run_ / "lock");
  EXPECT_EQ(state(), "starting");
  write_run(run_, metrics_text(100));
  EXPECT_EQ(state(), "running");
  test::write_text(run_ / "generation", "2\n");
  EXPECT_EQ(state(), "starting") << "again, after a requeue";
}

TEST_F(View, ARunWithoutStepsForLongIsLate) {
  write_run(run_, metrics_text(100));
  const RunLock lock(run_ / "lock");
  EXPECT_EQ(state_text(*seen({run_}, 1170).front()), "running");
  EXPECT_EQ(state_text(*seen({run_}, 1400).front()), "no step for 5:00");
}

TEST_F(View, TheEndIsExpectedFromTheLastSteps) {
  write_run(run_, metrics_text(100), 400);
  const auto views = seen({run_});
  const RunView& view = *views.front();
  EXPECT_NEAR(view.pace()->seconds_per_step, 1, 1e-9);
  EXPECT_NEAR(*view.seconds_left(), 300, 1e-6);
  EXPECT_NEAR(*view.ceiling(), 2.5e12, 1);
  write_run(run_, metrics_text(100), 100);
  EXPECT_FALSE(seen({run_}).front()->seconds_left());
}

TEST_F(View, FewerStepsThanWereTakenAreNoEnd) {
  write_run(run_, metrics_text(100), 3);
  const auto views = seen({run_});
  EXPECT_EQ(views.front()->total_steps(), 0);
  EXPECT_EQ(to_json(*views.front())["total_steps"], nullptr);
}

TEST_F(View, JsonHasTheSame) {
  write_run(run_, metrics_text(100), 400);
  const auto json = to_json(*seen({run_}).front());
  EXPECT_EQ(json["state"], "lost");
  EXPECT_EQ(json["step"], 100);
  EXPECT_EQ(json["total_steps"], 400);
  EXPECT_NEAR(json["seconds_left"].get<double>(), 300, 1e-6);
  EXPECT_NEAR(json["recent"]["time_share"]["compute"].get<double>(), 0.9, 1e-9);
  EXPECT_NEAR(json["recent"]["ceiling_ratio"].get<double>(), 0.8, 1e-9);
  write_run(directory_ / "new", "");
  EXPECT_EQ(to_json(*seen({directory_ / "new"}).front())["seconds_per_step"], nullptr);
}

// Every few steps there is one: those between them are no values that were not finite.
TEST_F(View, WhatAModelIsJudgedByIsShownAsItWasLast) {
  std::string metrics;
  for (std::int64_t step = 1; step <= 40; ++step) {
    metrics += metrics_line(
        {.step = step,
         .time = 1000.0 + static_cast<double>(step),
         .more = step % 10 == 0
                     ? fmt::format(",\"held_out_loss\":{},\"held_out_trained_loss\":0.5,\"fid\":{},"
                                   "\"precision\":0.75,\"recall\":0.5",
                                   0.5 + 0.001 * static_cast<double>(step), 100 - step)
                     : std::string()});
  }
  write_run(run_, metrics);
  const RunViews views = seen({run_});
  const RunView& run = *views.front();
  EXPECT_EQ(run.metrics().curve(&MetricsRecord::held_out_loss).buckets().size(), 4u);
  EXPECT_EQ(run.metrics().curve(&MetricsRecord::held_out_loss).not_finite(), 0);
  EXPECT_DOUBLE_EQ(run.metrics().last_of(&MetricsRecord::fid), 60);
  EXPECT_TRUE(std::isnan(run.metrics().last_of(&MetricsRecord::latent_frechet)));
  EXPECT_EQ(held_out_text(run), "0.54, of samples that are trained on 0.5: 8.0 % apart");
  EXPECT_EQ(judged_text(run, &MetricsRecord::fid), "60, precision 0.75, recall 0.5");
  EXPECT_EQ(judged_text(run, &MetricsRecord::latent_frechet), "");
  const auto json = to_json(run)["judged"];
  EXPECT_EQ(json["held_out_loss"]["step"], 40);
  EXPECT_EQ(json["fid"]["value"], 60.0);
  EXPECT_FALSE(json.contains("latent_frechet"));
  std::vector<std::string> titles;
  for (const Plot& plot : plots_of(run)) titles.push_back(plot.title);
  EXPECT_THAT(titles, testing::IsSupersetOf({"held-out loss", "FID", "precision"}));
  titles.clear();
  for (const LineChart& chart : charts_of(views)) titles.push_back(chart.title);
  EXPECT_THAT(titles, testing::IsSupersetOf({"Loss of held-out samples", "FID of samples"}));
  EXPECT_THAT(titles, testing::Not(testing::Contains("Latent Frechet distance of samples")));
}

TEST_F(View, WarningsOfAllRanksInTheOrderOfTime) {
  write_run(run_, "");
  test::write_text(run_ / "logs/rank-00000.log",
                   "2026-11-23T07:00:01.000 info a warning in a text\n"
                   "2026-11-23T07:00:02.000 warning SIGTERM after step 3: saved, stopping\n"
                   "2026-11-23T07:00:09.000 error disk \x1b[31m full\n"
                   "a line of a table\n");
  test::write_text(run_ / "logs/rank-00001.log",
                   "2026-11-23T07:00:02.400 warning SIGTERM after step 3: saved, stopping\n"
                   "2026-11-23T07:00:05.000 warning slow\n");
  const auto views = seen({run_});
  const auto& list = views.front()->warnings().list();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].ranks, 2);
  EXPECT_EQ(list[1].text, "slow");
  EXPECT_TRUE(list[2].error);
  views.front()->refresh(1200);
  EXPECT_EQ(views.front()->warnings().count(), 3) << "nothing is read twice";
}

// A log that was rotated before anybody looked: its end stands in the one before.
TEST_F(View, WarningsOfARotatedLog) {
  write_run(run_, "");
  test::write_text(run_ / "logs/rank-00000.1.log", "2026-11-23T07:00:01.000 warning early\n");
  test::write_text(run_ / "logs/rank-00000.log", "2026-11-23T07:00:02.000 warning late\n");
  const auto views = seen({run_});
  const auto& list = views.front()->warnings().list();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].text, "early");
  EXPECT_EQ(list[1].text, "late");
}

TEST_F(View, OfManyWarningsTheLastAreKept) {
  write_run(run_, "");
  std::string log;
  for (int i = 0; i < 250; ++i) {
    log += fmt::format("2026-11-23T07:{:02}:{:02}.000 warning number {}\n", i / 60, i % 60, i);
  }
  test::write_text(run_ / "logs/rank-00000.log", log);
  const auto views = seen({run_});
  const LogWarnings& warnings = views.front()->warnings();
  EXPECT_EQ(warnings.count(), 250);
  ASSERT_EQ(warnings.list().size(), LogWarnings::kKept);
  EXPECT_EQ(warnings.list().front().text, "number 50");
  EXPECT_EQ(warnings.list().back().text, "number 249");
}

TEST_F(View, CheckpointsThatAreNotCompleteAreNotIntact) {
  write_run(run_, "");
  std::filesystem::create_directories(run_ / "checkpoints/step-000010");
  std::filesystem::create_directories(run_ / "checkpoints/step-000020.damaged");
  const auto views = seen({run_});
  const auto& files = views.front()->checkpoints();
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].problem, "damaged, set aside");
  EXPECT_FALSE(files[1].intact);
  EXPECT_THAT(files[1].problem, HasSubstr("not marked complete"));
}

TEST_F(View, WrongDirectoriesAreRefused) {
  write_run(run_, "");
  std::filesystem::create_directories(directory_ / "empty");
  const auto refusal = [&](const std::vector<std::filesystem::path>& runs) {
    return test::message_of<UsageError>([&] { open_runs(runs); });
  };
  EXPECT_THAT(refusal({directory_ / "none"}), HasSubstr("none: no such directory"));
  EXPECT_THAT(refusal({run_ / "config.ini"}), HasSubstr("is not a directory"));
  EXPECT_THAT(refusal({directory_ / "empty"}), HasSubstr("holds no run"));
  EXPECT_THAT(refusal({run_, directory_ / "empty/../run/"}), HasSubstr("is named twice"));
}

TEST(DistinctNames, AreAsShortAsTellsThemApart) {
  EXPECT_THAT(distinct_names({"/r/s2", "/r/b2/"}), ElementsAre("s2", "b2"));
  EXPECT_THAT(distinct_names({"/x/a/run", "/x/b/run", "/x/c"}), ElementsAre("a/run", "b/run", "c"));
  EXPECT_THAT(distinct_names({"/a/run", "/a/a/run"}), ElementsAre("/a/run", "a/a/run"));
}

TEST_F(View, NothingIsWrittenToTheRun) {
  write_run(run_, metrics_text(10));
  const auto listing = [&] {
    std::string text;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(run_)) {
      text += entry.path().string() + "\n";
    }
    return text;
  };
  const auto before = listing();
  const auto time = std::filesystem::last_write_time(run_);
  seen({run_});
  EXPECT_EQ(listing(), before);
  EXPECT_EQ(std::filesystem::last_write_time(run_), time);
}

}  // namespace
}  // namespace edt
