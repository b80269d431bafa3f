#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdlib>
#include <string>

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

// As MPI was told before it began: by the user, or else by MpiSession.
TEST(MpiRanks, AskForNothingOverTcpUnlessTheUserSaysSo) {
  const char* const told = std::getenv("OMPI_MCA_btl_tcp_flags");
  ASSERT_NE(told, nullptr);
  int provided = 0, index = 0, count = 0;
  unsigned flags = 0;
  ASSERT_EQ(MPI_T_init_thread(MPI_THREAD_SINGLE, &provided), MPI_SUCCESS);
  if (MPI_T_cvar_get_index("btl_tcp_flags", &index) != MPI_SUCCESS) {
    MPI_T_finalize();
    GTEST_SKIP() << "this MPI library has no TCP of its own";
  }
  MPI_T_cvar_handle handle{};
  ASSERT_EQ(MPI_T_cvar_handle_alloc(index, nullptr, &handle, &count), MPI_SUCCESS);
  ASSERT_EQ(MPI_T_cvar_read(handle, &flags), MPI_SUCCESS);
  MPI_T_cvar_handle_free(&handle);
  MPI_T_finalize();
  constexpr unsigned kSend = 1, kPut = 2;
  EXPECT_TRUE(flags & kSend);
  EXPECT_EQ((flags & kPut) != 0, std::string(told).find("put") != std::string::npos);
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
