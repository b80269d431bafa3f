#include <gtest/gtest.h>

#include "collective_cases.h"
#include "mpi_world.h"

namespace edt::test {
namespace {

TEST(MpiRanks, SayWhoTheyAre) {
  EXPECT_EQ(mpi_world().backend(), "mpi");
  EXPECT_EQ(mpi_world().label(), "world");
  EXPECT_GT(mpi_world().size(), 1) << "run by mpirun";
}
TEST(MpiRanks, Sums) { check_sums(mpi_world()); }
TEST(MpiRanks, OtherReductions) { check_other_reductions(mpi_world()); }
TEST(MpiRanks, Parts) { check_parts(mpi_world()); }
TEST(MpiRanks, Groups) { check_groups(mpi_world()); }
TEST(MpiRanks, BFloat16Wire) { check_bfloat16_wire(mpi_world()); }
TEST(MpiRanks, WiresThatRoundOnce) { check_wires_that_round_once(mpi_world()); }
TEST(MpiRanks, GathersAndBroadcasts) { check_gathers_and_broadcasts(mpi_world()); }
TEST(MpiRanks, Messages) { check_messages(mpi_world()); }
TEST(MpiRanks, Split) { check_split(mpi_world()); }
TEST(MpiRanks, SideChannel) { check_side_channel(mpi_world()); }
TEST(MpiRanks, ConcurrentCommunicators) { check_concurrent_communicators(mpi_world()); }
TEST(MpiRanks, Timeout) { check_timeout(mpi_world()); }
TEST(MpiRanks, Disagreement) { check_disagreement(mpi_world()); }

}  // namespace
}  // namespace edt::test
