#include "parallel/comm/shared_memory.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "core/base/error.h"
#include "parallel/comm/threads/thread_ranks.h"
#include "tests/support/message_of.h"

namespace edt {
namespace {

TEST(SharedMemory, IsTheSameForAllRanks) {
  run_ranks(3, [](Communicator& world) {
    const auto memory = make_shared_memory(world);
    constexpr std::size_t kCount = 100000;
    for (int round = 0; round < 3; ++round) {
      const Block block(*memory, kCount * sizeof(std::int32_t));
      auto* const values = static_cast<std::int32_t*>(block.data());
      for (std::size_t i = 0; i < kCount; ++i) ASSERT_EQ(values[i], 0);
      world.barrier("all have seen zeros");
      for (std::size_t i = std::size_t(world.rank()); i < kCount; i += 3)
        values[i] = world.rank() + 1;
      world.barrier("all have written");
      for (std::size_t i = 0; i < kCount; ++i) ASSERT_EQ(values[i], i % 3 + 1);
      world.barrier("all have read");
    }
  });
}

TEST(SharedMemory, OfMoreThanThereIsIsRefusedOnAllRanks) {
  run_ranks(2, [](Communicator& world) {
    const auto memory = make_shared_memory(world);
    constexpr std::size_t kTooMuch = std::size_t{1} << 62;
    const std::string message = test::message_of<UsageError>([&] { memory->reserve(kTooMuch); });
    EXPECT_NE(message.find("4611686018427387904 bytes cannot be shared by 2 ranks on "),
              std::string::npos)
        << message;
    const Block block(*memory, 4096);  // the ranks still agree
    EXPECT_NE(block.data(), nullptr);
  });
}

TEST(SharedMemory, OfSeveralMachinesIsRefused) {
  EXPECT_EQ(other_machine({"node1", "node1"}), "");
  EXPECT_EQ(other_machine({"node1", "node1", "node2"}), "node2");
}

}  // namespace
}  // namespace edt
