#include "launcher/launch_check.h"

#include <gmock/gmock.h>

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

TEST(LaunchCheck, SharedMemory) {
  EXPECT_EQ(shared_memory_problem(2, 8 << 20), "");
  EXPECT_THAT(shared_memory_problem(2, (8 << 20) - 1),
              HasSubstr("2 ranks on one node need 8.00 MiB"));
  EXPECT_EQ(shared_memory_problem(1, 0), "") << "one rank sends nothing";
}

TEST(LaunchCheck, Devices) {
  EXPECT_EQ(device_problem({{"a", 2, "0"}, {"a", 2, "1"}, {"b", 2, "0"}}), "");
  EXPECT_EQ(device_problem({{"a", 2, "0"}, {"b", 2, "0"}, {"b", 2, "0"}}),
            "ranks 1 and 2 on b have both taken GPU 0, 2 are there");
  EXPECT_EQ(device_problem({{"a", 1, "0"}, {"a", 1, "0"}}),
            "2 ranks on a, which shows 1 GPUs: start at most 1 ranks per node");
  // Slurm may show each rank only its own.
  EXPECT_EQ(device_problem({{"a", 1, "0"}, {"a", 1, "1"}}), "");
}

}  // namespace
}  // namespace edt
