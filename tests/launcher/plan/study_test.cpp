#include <gmock/gmock-matchers.h>

#include "core/base/error.h"
#include "launcher/scale/scale_report.h"
#include "tests/model/plan/planned_steps.h"
#include "tests/support/browser.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::HasSubstr;

StudyOptions options() {
  StudyOptions options{.step = {.model = test::tiny_edt(32)}};
  options.step.micro_batch = 2;
  options.step_arguments = "--micro-batch=2";
  options.strong_batch = 8;
  options.weak_batch = 4;
  options.ranks = {1, 2, 4, 8};
  options.zero = {1, 3};
  options.repeats = 3;
  return options;
}

std::string result(double rate, double of_ceiling = 0.5) {
  return fmt::format(
      "{{\"images_per_s\": {}, \"ceiling_ratio\": {}, \"exposed_communication\": 0.1, "
      "\"imbalance\": 1.2, \"peak_memory_bytes\": 1048576}}",
      rate, of_ceiling);
}

TEST(Study, PointsThatCannotBeAreLeftOutWithTheReason) {
  const StudyPlan plan = plan_study(options());
  EXPECT_EQ(plan.points.size(), 3u * 2 + 4u * 2);
  ASSERT_EQ(plan.left_out.size(), 2u);
  EXPECT_THAT(plan.left_out[0], testing::AllOf(HasSubstr("strong-r8"), HasSubstr("8 data ranks")));
  for (const ScalePoint& point : plan.points) {
    EXPECT_EQ(point.accumulate, point.scaling == Scaling::kWeak ? 2 : 4 / point.ranks);
  }
  StudyOptions none = options();
  none.strong_batch = none.weak_batch = 0;
  EXPECT_THROW(plan_study(none), UsageError);
}

// As one is that has lost a rank, or found the disk full: started again, the study goes on.
TEST(Study, AMeasurementThatIsBrokenOffBreaksItOff) {
  const test::TempDir directory;
  const Study study(directory.path(), options());
  const ScalePoint one{Scaling::kWeak, 1, 1, 1, 2};
  EXPECT_THAT(
      test::message_of<CommunicationError>([&] { study.measure(one, 0, "sh -c 'exit 5'"); }),
      HasSubstr("weak-r1-t1-z1 was broken off"));
  EXPECT_THAT(test::message_of<Error>([&] { study.measure(one, 0, "sh -c 'exit 2'"); }),
              HasSubstr("weak-r1-t1-z1 failed"));
  EXPECT_FALSE(study.result(one, 0));
}

TEST(Study, GoesOnWhereItStoppedAndReportsWhatIsThere) {
  const test::TempDir directory;
  const Study study(directory.path(), options());
  const ScalePoint one{Scaling::kWeak, 1, 1, 1, 2}, four{Scaling::kWeak, 4, 1, 1, 2};
  EXPECT_FALSE(study.result(one, 0));
  const auto file = [&](const char* name) { return directory / "results" / name; };
  test::write_text(file("weak-r1-t1-z1.0.json"), result(10, 1.25));
  test::write_text(file("weak-r4-t1-z1.0.json"), result(30));
  test::write_text(file("weak-r4-t1-z1.1.json"), result(28));
  test::write_text(file("weak-r4-t1-z1.2.json"), result(32));
  test::write_text(file("weak-r1-t1-z1.1.json"), "{\"images_per");  // of a job that was killed
  EXPECT_TRUE(Study(directory.path(), options()).result(one, 0));
  EXPECT_FALSE(study.result(one, 1));
  const auto rows = scale_rows(study, {one, four}, options(), nullptr);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].repeats, 1);
  EXPECT_DOUBLE_EQ(rows[1].images_per_s, 30);
  EXPECT_DOUBLE_EQ(rows[1].lowest, 28);
  EXPECT_DOUBLE_EQ(rows[1].highest, 32);
  EXPECT_DOUBLE_EQ(rows[1].efficiency, 0.75);
  EXPECT_THAT(scale_text(rows), HasSubstr("75.0 %"));
  EXPECT_THAT(scale_csv(rows), HasSubstr("weak,4,1,1,2,3,30,28,32,0.7500"));
  EXPECT_EQ(scale_json(rows, options())["points"].size(), 2u);
  // A share above 1 has a mark everywhere.
  EXPECT_THAT(scale_text(rows), HasSubstr("125.0 % (!)"));
  EXPECT_THAT(scale_csv(rows), testing::ContainsRegex("weak,1,.*,1.2500,.*,1\nweak,4,.*,0\n"));
  EXPECT_EQ(scale_json(rows, options())["points"][0]["ceiling_outdated"], true);
  const Page page = scale_page(rows, options());
  EXPECT_THAT(page.html(), HasSubstr("Weak scaling"));
  if (!test::has_browser()) GTEST_SKIP() << "no browser is installed";
  page.write(directory / "page.html");
  test::expect_drawn(directory / "page.html", 2);
}

TEST(Study, AnotherStudyInTheSameDirectoryIsRefused) {
  const test::TempDir directory;
  const Study study(directory.path(), options());
  StudyOptions other = options();
  other.weak_batch = 16;
  EXPECT_THAT(test::message_of<UsageError>([&] { Study(directory.path(), other); }),
              testing::AllOf(HasSubstr("weak_batch 4"), HasSubstr("16")));
}

TEST(Study, JobArraysHoldEveryPointOnce) {
  const test::TempDir directory;
  const Study study(directory / "study", options());
  const StudyPlan plan = plan_study(options());
  study.write_jobs(plan.points, directory / "jobs");
  std::size_t rows = 0;
  for (const int ranks : {1, 2, 4, 8}) {
    const std::string list =
        test::read_text(directory / "jobs" / fmt::format("scale-{}.tsv", ranks));
    rows += static_cast<std::size_t>(std::ranges::count(list, '\n'));
    const std::string job =
        test::read_text(directory / "jobs" / fmt::format("scale-{}.sbatch", ranks));
    EXPECT_THAT(job, HasSubstr(fmt::format("--ntasks={}\n", ranks)));
  }
  EXPECT_EQ(rows, plan.points.size() * 3);
  EXPECT_THAT(test::read_text(directory / "jobs" / "submit.sh"),
              HasSubstr("sbatch \"$@\" scale-8.sbatch"));
}

}  // namespace
}  // namespace edt
