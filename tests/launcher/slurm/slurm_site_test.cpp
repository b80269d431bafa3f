#include "launcher/slurm/slurm_site.h"

#include <gmock/gmock-matchers.h>

#include "launcher/machine/rank_survey.h"

namespace edt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kConfiguration =
    "Configuration data as of 2026-01-01T00:00:00\n"
    "JobRequeue              = 1\n"
    "KillWait                = 30 sec\n"
    "SlurmdTimeout           = 300 sec\n"
    "SLURM_VERSION           = 22.05.8\n";

TEST(SlurmSite, ReadsWhatSlurmSays) {
  const SlurmSite site =
      parse_slurm_site(kConfiguration,
                       "MPI plugin types are...\n\tpmi2\n\tcray_shasta\n\tnone\n\tpmix\n"
                       "specific pmix plugin versions available: pmix_v4\n");
  EXPECT_EQ(site.version, "22.05.8");
  EXPECT_TRUE(site.job_requeue);
  EXPECT_EQ(site.kill_wait, 30);
  EXPECT_EQ(site.node_timeout, 300);
  EXPECT_THAT(site.mpi_types, ElementsAre("pmi2", "cray_shasta", "none", "pmix"));
  EXPECT_TRUE(findings(site).empty());
}

TEST(SlurmSite, SaysWhatWouldFail) {
  SlurmSite site =
      parse_slurm_site("JobRequeue = 0\nKillWait = 5 sec\n", "MPI ...\n\tpmi2\n\tnone\n");
  const auto found = findings(site);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_TRUE(found[0].fails);
  EXPECT_THAT(found[0].text, HasSubstr("srun has no PMIx, only pmi2, none"));
  EXPECT_THAT(found[1].text, HasSubstr("slurm/chain.sh"));
  EXPECT_THAT(found[2].text, HasSubstr("5 s between SIGTERM and SIGKILL"));
}

TEST(SlurmSite, MemoryOfTheLargestNode) {
  EXPECT_EQ(parse_largest_node("4000\n192000+\n64000\n"), 192000.0 * (1 << 20));
  EXPECT_EQ(parse_largest_node("1\n"), std::nullopt) << "Slurm's default: the site does not say";
  EXPECT_EQ(parse_largest_node(""), std::nullopt);
}

TEST(RankSurvey, NodesThatShouldBeAlike) {
  NodeSummary a{.host = "a", .cpu_model = "X", .versions = "1"};
  NodeSummary b = a;
  b.host = "b";
  EXPECT_TRUE(findings({a, b}, "/data").empty());
  b.sees_directory = false;
  b.versions = "2";
  b.cpu_model = "Y";
  const auto found = findings({a, b}, "/data");
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].text, "/data is not one file system: b does not see what a writes");
  EXPECT_TRUE(found[0].fails && found[1].fails);
  EXPECT_FALSE(found[2].fails);
}

}  // namespace
}  // namespace edt
