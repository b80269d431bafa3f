// Communicators of a GPU's tensors, on the emulated GPU: through host memory, and over NCCL.
#include <gtest/gtest.h>

#include "collective_cases.h"
#include "core/cuda/cuda_backend.h"
#include "host_tensors.h"
#include "parallel/comm/device/device_communicator.h"
#include "parallel/comm/nccl/nccl_communicator.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/core/cuda/emulation/nccl.h"
#include "tests/support/wait_until.h"

namespace edt {
namespace {

using Check = void (*)(Communicator&);

void run_staged(int ranks, Check check) {
  run_ranks(ranks, [&](Communicator& host) {
    const auto gpu = make_cuda_backend();
    test::HostTensors tensors(*gpu, communicator_for(*gpu, host, "tensors"), host, true);
    EXPECT_NE(tensors.backend().find("through host memory"), std::string_view::npos);
    check(tensors);
  });
}

void run_nccl(int ranks, Check check) {
  run_ranks(ranks, [&](Communicator& host) {
    const auto gpu = make_cuda_backend();
    const auto stream = gpu->new_stream();
    auto same = host.split(0, host.rank(), "tensors");
    test::HostTensors tensors(*stream, make_nccl_communicator(*stream, std::move(same)), host,
                              false);
    check(tensors);
  });
}

class DeviceRanks : public ::testing::TestWithParam<int> {};

TEST_P(DeviceRanks, StagedSums) { run_staged(GetParam(), test::check_sums); }
TEST_P(DeviceRanks, StagedParts) { run_staged(GetParam(), test::check_parts); }
TEST_P(DeviceRanks, StagedGroups) { run_staged(GetParam(), test::check_groups); }
TEST_P(DeviceRanks, StagedWire) { run_staged(GetParam(), test::check_bfloat16_wire); }
TEST_P(DeviceRanks, StagedGathers) { run_staged(GetParam(), test::check_gathers_and_broadcasts); }
TEST_P(DeviceRanks, NcclSums) { run_nccl(GetParam(), test::check_sums); }
TEST_P(DeviceRanks, NcclOtherReductions) { run_nccl(GetParam(), test::check_other_reductions); }
TEST_P(DeviceRanks, NcclParts) { run_nccl(GetParam(), test::check_parts); }
TEST_P(DeviceRanks, NcclGroups) { run_nccl(GetParam(), test::check_groups); }
TEST_P(DeviceRanks, NcclWire) { run_nccl(GetParam(), test::check_bfloat16_wire); }
TEST_P(DeviceRanks, NcclGathers) { run_nccl(GetParam(), test::check_gathers_and_broadcasts); }
TEST_P(DeviceRanks, NcclMessages) { run_nccl(GetParam(), test::check_messages); }
INSTANTIATE_TEST_SUITE_P(Ranks, DeviceRanks, ::testing::Values(2, 3, 4, 6));

// No collective is the first to connect two ranks: that would be done within a step, under the lock
// that keeps the watcher out.
TEST(NcclConnections, AreMadeWithTheCommunicator) {
  const int before = emulation::nccl_late_connections();
  for (const int ranks : {1, 2, 3, 5, 6}) {
    run_nccl(ranks, test::check_parts);
    EXPECT_EQ(emulation::nccl_late_connections(), before) << ranks << " ranks";
  }
}

// NCCL tells of a dead peer only to who asks; then the next collective says so.
TEST(NcclFailure, AnAsynchronousErrorEndsTheNextCollective) {
  const int aborts = emulation::nccl_aborts();
  run_ranks(2, [&](Communicator& host) {
    const auto gpu = make_cuda_backend();
    const auto nccl = make_nccl_communicator(*gpu, host.split(0, host.rank(), "tensors"));
    const Block block(gpu->memory(), sizeof(float));
    const Tensor value{block.data(), {1}, DType::kFloat32};
    nccl->all_reduce(value, Reduce::kSum, "before");
    host.barrier("before the failure");
    emulation::set_nccl_failed(true);
    // Whoever noticed has aborted its communicator.
    ASSERT_TRUE(test::wait_until([&] { return emulation::nccl_aborts() == aborts + 2; }));
    const auto expect_given_up = [](auto call) {
      try {
        call();
        ADD_FAILURE() << "nothing was thrown";
      } catch (const CommunicationError& error) {
        EXPECT_NE(std::string_view(error.what()).find("given up"), std::string_view::npos);
      }
    };
    expect_given_up([&] { nccl->all_reduce(value, Reduce::kSum, "after"); });
    expect_given_up([&] { nccl->broadcast(value, 0, "after"); });
    host.barrier("after the failure");
    emulation::set_nccl_failed(false);
  });
}

// A kernel that waits for a dead peer ends when the communicator is aborted: the memory it was
// given must not be given back before, which would wait for it.
TEST(NcclFailure, APeerThatDiesWhileConnectingIsNotWaitedFor) {
  const int before = emulation::nccl_aborts();
  emulation::set_nccl_peers_dead(true);
  EXPECT_THROW(run_ranks(1,
                         [](Communicator& host) {
                           const auto gpu = make_cuda_backend();
                           make_nccl_communicator(*gpu, host.split(0, host.rank(), "tensors"));
                         }),
               std::exception);
  emulation::set_nccl_peers_dead(false);
  EXPECT_EQ(emulation::nccl_aborts(), before + 1);
}

// What a rank's kernels wait for may never come then, so its communicator must not wait for them.
TEST(NcclFailure, AnExceptionAbortsTheCommunicator) {
  const int before = emulation::nccl_aborts();
  const auto fail_after_start = [](Communicator& host) {
    const auto gpu = make_cuda_backend();
    const auto nccl = make_nccl_communicator(*gpu, host.split(0, host.rank(), "tensors"));
    throw std::runtime_error("of another kind");
  };
  EXPECT_THROW(run_ranks(2, fail_after_start), std::exception);
  EXPECT_EQ(emulation::nccl_aborts(), before + 2);
  run_ranks(2, [](Communicator& host) {
    const auto gpu = make_cuda_backend();
    make_nccl_communicator(*gpu, host.split(0, host.rank(), "tensors"));
  });
  EXPECT_EQ(emulation::nccl_aborts(), before + 2);
}

}  // namespace
}  // namespace edt
