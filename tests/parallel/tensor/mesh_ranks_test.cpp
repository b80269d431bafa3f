#include <gtest/gtest.h>

#include <array>

#include "parallel/comm/threads/thread_ranks.h"
#include "parallel/sharding/mesh.h"

namespace edt {
namespace {

TEST(MeshRanks, NeighboursFormATensorGroup) {
  for (const auto& [ranks, tensor_ranks] : {std::pair{4, 2}, {6, 3}, {8, 2}, {4, 4}, {4, 1}}) {
    run_ranks(ranks, [tensor_ranks = tensor_ranks](Communicator& world) {
      const Mesh mesh(world, tensor_ranks);
      EXPECT_EQ(mesh.tensor().size(), tensor_ranks);
      EXPECT_EQ(mesh.data().size(), world.size() / tensor_ranks);
      EXPECT_EQ(mesh.data().rank() * tensor_ranks + mesh.tensor().rank(), world.rank());
      EXPECT_EQ(mesh.text(),
                fmt::format("data {} x tensor {}", world.size() / tensor_ranks, tensor_ranks));
      // The members of a group are those that the picture in mesh.h says.
      const std::int32_t lowest = world.rank() / tensor_ranks * tensor_ranks;
      EXPECT_EQ(mesh.tensor().all_reduce_value(std::int32_t{world.rank()}, Reduce::kMin, "lowest"),
                lowest);
      EXPECT_EQ(mesh.tensor().all_reduce_value(std::int32_t{world.rank()}, Reduce::kMax, "highest"),
                lowest + tensor_ranks - 1);
      EXPECT_EQ(mesh.data().all_reduce_value(std::int32_t{world.rank()}, Reduce::kMin, "first"),
                world.rank() % tensor_ranks);
    });
  }
}

}  // namespace
}  // namespace edt
