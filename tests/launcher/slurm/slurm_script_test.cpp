#include "launcher/slurm/slurm_script.h"

#include <gmock/gmock-matchers.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_files.h"

namespace edt {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(SlurmScript, Times) {
  EXPECT_EQ(slurm_seconds("90"), 5400);
  EXPECT_EQ(slurm_seconds("10:30"), 630);
  EXPECT_EQ(slurm_seconds("24:00:00"), 86400);
  EXPECT_EQ(slurm_seconds("2-12"), 216000);
  EXPECT_EQ(slurm_seconds("1-00:30"), 88200);
  EXPECT_EQ(slurm_seconds("1-00:00:05"), 86405);
  for (const char* wrong : {"", "1h", "-5", "1-2-3", "1:2:3:4"}) {
    EXPECT_THAT(test::message_of<UsageError>([&] { slurm_seconds(wrong); }),
                HasSubstr(std::string("slurm.time is '") + wrong + "'"));
  }
}

TEST(SlurmScript, HasTheDirectivesAndTheRecipe) {
  SlurmRequest request;
  request.nodes = 4;
  request.gpus_per_node = 8;
  request.partition = "gpu";
  request.extra = {"--mail-type=END"};
  EXPECT_EQ(request.ranks(), 32);
  const std::string script = slurm_script(request, "/opt/edt", "/run dir/train.ini", "/run dir");
  for (const char* line :
       {"#!/usr/bin/env bash\n", "#SBATCH --nodes=4\n", "#SBATCH --ntasks-per-node=8\n",
        "#SBATCH --gpus-per-node=8\n", "#SBATCH --partition=gpu\n", "#SBATCH --mail-type=END\n",
        "#SBATCH --signal=B:USR1@300\n", "#SBATCH '--output=/run dir/slurm-%j.out'\n",
        "EDT=${EDT:-/opt/edt}\n", "EDT_LAUNCHER=${EDT_LAUNCHER:-srun}\n",
        "trap edt_forward USR1 TERM\n",
        "edt_train --config '/run dir/train.ini' --run.dir '/run dir' \"$@\"\n"}) {
    EXPECT_THAT(script, HasSubstr(line));
  }
  EXPECT_THAT(script, Not(HasSubstr("--account")));
}

TEST(SlurmScript, Memory) {
  EXPECT_EQ(slurm_bytes("4000"), 4000.0 * (1 << 20));
  EXPECT_EQ(slurm_bytes("2g"), 2147483648.0);
  EXPECT_EQ(slurm_bytes("1T"), 1099511627776.0);
  EXPECT_EQ(slurm_bytes("0"), std::nullopt) << "all that the node has";
  for (const char* wrong : {"", "lots", "-4G", "4P", "4 G"}) {
    EXPECT_THAT(test::message_of<UsageError>([&] { slurm_bytes(wrong); }),
                HasSubstr(std::string("slurm.mem is '") + wrong + "'"));
  }
  SlurmRequest request;
  EXPECT_EQ(request.node_memory(), std::nullopt);
  request.extra = {"--mail-type=END", "--mem=100M"};
  EXPECT_EQ(request.node_memory(), 100.0 * (1 << 20));
  request.memory = "200M";
  EXPECT_EQ(request.node_memory(), 200.0 * (1 << 20));
  EXPECT_THAT(slurm_script(request, "edt", "a.ini", "run"), HasSubstr("#SBATCH --mem=200M\n"));
}

TEST(SlurmScript, TheClusterFileCanBeAnother) {
  test::TempDir directory;
  test::write_text(directory / "mine.sh", "module load everything\n");
  SlurmRequest request;
  request.cluster_file = directory / "mine.sh";
  const std::string script = slurm_script(request, "edt", "a.ini", "run");
  EXPECT_THAT(script, HasSubstr("module load everything\n"));
  EXPECT_THAT(script, Not(HasSubstr("Change it once for your site")));
}

TEST(SlurmScript, NothingIsSmuggledInByALineBreak) {
  SlurmRequest request;
  request.name = "a\n#SBATCH --uid=0";
  EXPECT_THAT(test::message_of<UsageError>([&] { slurm_script(request, "edt", "a.ini", "run"); }),
              HasSubstr("more than one line"));
}

}  // namespace
}  // namespace edt
