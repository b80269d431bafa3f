#include "launcher/run/fencing_token.h"

#include <gmock/gmock-matchers.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/base/log.h"
#include "launcher/run/metrics.h"
#include "launcher/run/run_directory.h"
#include "parallel/comm/self/self_communicator.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::HasSubstr;

TEST(FencingToken, EachHolderTakesTheNextNumberAndFencesOffTheOneBefore) {
  test::TempDir directory;
  const auto first = FencingToken::take(directory / "generation");
  EXPECT_EQ(first.number(), 1u);
  EXPECT_TRUE(first.is_current());
  const auto second = FencingToken::take(directory / "generation");
  const FencingToken rank_of_second(directory / "generation", second.number());
  EXPECT_FALSE(first.is_current());
  EXPECT_TRUE(rank_of_second.is_current());
  EXPECT_EQ(test::message_of<ReplacedError>([&] { first.check(); }),
            fmt::format("[run] {} belongs to generation 2 now, this is generation 1: stopping",
                        directory.path().string()));
  EXPECT_NO_THROW(second.check());
}

TEST(FencingToken, ADiskThatCannotBeReadIsNoSuccessor) {
  const FencingToken gone("/nonexistent/generation", 3);
  EXPECT_TRUE(gone.is_current());
}

// What an earlier start of a job still holds when a later one takes the directory.
TEST(FencingToken, WritersOfARunDirectoryStop) {
  setenv("SLURM_JOB_ID", "77", 1);
  setenv("SLURM_RESTART_COUNT", "0", 1);
  test::TempDir directory;
  const auto ranks = make_self_communicator();
  const RunDirectory old(directory.path(), *ranks);
  log::set_level(log::Level::kInfo);
  old.open_log();
  old.begin("a = 1\n");
  MetricsWriter old_metrics(old.metrics(), 1);
  old_metrics.write(1, nlohmann::ordered_json::object());

  setenv("SLURM_RESTART_COUNT", "1", 1);
  const RunDirectory present(directory.path(), *ranks);
  unsetenv("SLURM_JOB_ID");
  unsetenv("SLURM_RESTART_COUNT");
  MetricsWriter metrics(present.metrics(), 2);
  metrics.write(2, nlohmann::ordered_json::object());

  EXPECT_THAT(test::message_of<ReplacedError>([&] { old.begin("a = 2\n"); }),
              HasSubstr("belongs to generation 2 now"));
  EXPECT_THROW(old.write_outcome(0, 1, "done"), ReplacedError);
  log::info("words of the old one");
  log::flush();
  old_metrics.write(2, {{"old", true}});  // past the check: the file is no longer the old one's
  EXPECT_EQ(test::read_text(old.config()), "a = 1\n");
  EXPECT_FALSE(std::filesystem::exists(old.outcome()));
  EXPECT_THAT(test::read_text(old.log(0)), Not(HasSubstr("words of the old one")));
  EXPECT_EQ(test::read_text(present.metrics()), "{\"step\":1}\n{\"step\":2}\n");
}

}  // namespace
}  // namespace edt
