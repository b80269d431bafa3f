#include "launcher/launch_check.h"

#include <gmock/gmock-matchers.h>

namespace edt {
namespace {

using testing::HasSubstr;

const std::string kOpenMpi = "Open MPI v4.1.4, package: Debian";

TEST(LaunchCheck, TasksPerNode) {
  EXPECT_EQ(largest_of("4"), 4);
  EXPECT_EQ(largest_of("2(x3),1"), 2);
  EXPECT_EQ(largest_of("1(x2),16"), 16);
}

TEST(LaunchCheck, SrunWithoutPmix) {
  const Launch launch{.tasks = 4, .by_srun = true};
  EXPECT_THAT(connection_problem(launch, kOpenMpi),
              HasSubstr("srun started 4 processes without PMIx, and Open MPI v4.1.4 connects"));
  EXPECT_EQ(connection_problem({.tasks = 4, .by_srun = true, .has_pmix = true}, kOpenMpi), "");
  EXPECT_EQ(connection_problem({.tasks = 1, .by_srun = true}, kOpenMpi), "");
  EXPECT_EQ(connection_problem(launch, "MPICH Version: 4.0"), "") << "it knows PMI-2";
  EXPECT_EQ(connection_problem({.tasks = 4, .by_mpirun = true}, kOpenMpi), "");
}

// Each of the processes would take itself for the only one.
TEST(LaunchCheck, Torchrun) {
  setenv("WORLD_SIZE", "4", 1);
  setenv("RANK", "2", 1);
  EXPECT_FALSE(Launch::of_this_process().by_torchrun) << "any shell may have these";
  setenv("TORCHELASTIC_RUN_ID", "none", 1);
  const Launch launch = Launch::of_this_process();
  EXPECT_FALSE(launch.first);
  EXPECT_THAT(
      connection_problem(launch, kOpenMpi),
      HasSubstr("torchrun started 4 processes, which only PyTorch can connect: mpirun -np 4"));
  for (const char* name : {"WORLD_SIZE", "RANK", "TORCHELASTIC_RUN_ID"}) unsetenv(name);
}

TEST(LaunchCheck, SharedMemory) {
  EXPECT_EQ(shared_memory_problem(2, 8 << 20), "");
  EXPECT_THAT(shared_memory_problem(2, (8 << 20) - 1),
              HasSubstr("2 ranks on one node need 8.00 MiB"));
  EXPECT_EQ(shared_memory_problem(1, 0), "") << "one rank sends nothing";
}

}  // namespace
}  // namespace edt
