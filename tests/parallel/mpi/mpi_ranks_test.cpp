#include <gtest/gtest.h>

#include "collective_cases.h"
#include "mpi_world.h"
#include "parallel/comm/shared_memory.h"

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
TEST(MpiRanks, HaveMemoryInCommon) {
  Communicator& ranks = mpi_world();
  const auto memory = make_shared_memory(ranks);
  const Block block(*memory, static_cast<std::size_t>(ranks.size()) * sizeof(int));
  auto* const values = static_cast<int*>(block.data());
  values[ranks.rank()] = ranks.rank() + 1;
  ranks.barrier("all have written");
  for (int r = 0; r < ranks.size(); ++r) EXPECT_EQ(values[r], r + 1);
  ranks.barrier("all have read");
}

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
