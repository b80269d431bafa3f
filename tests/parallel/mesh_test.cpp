#include "parallel/sharding/mesh.h"

#include <gtest/gtest.h>

#include "parallel/comm/self/self_communicator.h"

namespace edt {
namespace {

MeshRequest request(int ranks, int tensor_ranks, std::int64_t micro_batches, std::int64_t batch = 0,
                    int shard_ranks = 0) {
  return {ranks, tensor_ranks, micro_batches, batch, "EDT-XL/2", shard_ranks, {1, 2, 3, 6}};
}

std::string refusal(const MeshRequest& asked) {
  try {
    check_mesh(asked);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(CheckMesh, AcceptsWhatFits) {
  for (const int tensor : {1, 2, 3, 6}) {
    for (const int data : {1, 2, 4, 8}) {
      EXPECT_EQ(refusal(request(data * tensor, tensor, 8)), "accepted");
    }
  }
}

// 3 nodes of 8, 5 ranks: any number that leaves each as many.
TEST(CheckMesh, AcceptsAnyNumberThatDividesTheMicroBatches) {
  for (const int data : {1, 2, 3, 4, 6, 8, 12, 24}) {
    EXPECT_EQ(refusal(request(data, 1, 24)), "accepted");
    EXPECT_EQ(refusal(request(6 * data, 6, 24)), "accepted");
  }
  EXPECT_EQ(refusal(request(5, 1, 15)), "accepted");
}

TEST(CheckMesh, NamesTheDegreesOfTheModel) {
  EXPECT_EQ(refusal(request(8, 4, 8)),
            "[mesh] EDT-XL/2 cannot be cut over 4 tensor ranks: its heads allow 1, 2, 3, 6");
  EXPECT_EQ(refusal(request(8, 0, 8)),
            "[mesh] EDT-XL/2 cannot be cut over 0 tensor ranks: its heads allow 1, 2, 3, 6");
}

TEST(CheckMesh, NamesTheDegreesThatDivideTheRanks) {
  EXPECT_EQ(refusal(request(8, 3, 8)),
            "[mesh] 8 ranks cannot be grouped by 3 tensor ranks: start a multiple of 3, or set 1 "
            "or 2 for the number of tensor ranks");
}

TEST(CheckMesh, NamesTheDataRanksThatFitTheMicroBatches) {
  EXPECT_EQ(refusal(request(3, 1, 8)),
            "[mesh] 3 data ranks (3 ranks, 1 to a model) cannot share 8 micro-batches evenly: "
            "1, 2, 4, 8 would fit");
  EXPECT_EQ(refusal(request(32, 2, 8)),
            "[mesh] 16 data ranks (32 ranks, 2 to a model) are more than the 8 micro-batches: 1, "
            "2, 4, 8 would fit");
  EXPECT_EQ(refusal(request(32, 2, 8, 256)),
            "[mesh] 16 data ranks (32 ranks, 2 to a model) are more than the 8 micro-batches: 1, "
            "2, 4, 8 would fit, or micro-batches of 16 images");
  EXPECT_EQ(refusal(request(24, 1, 8, 384)),
            "[mesh] 24 data ranks (24 ranks, 1 to a model) are more than the 8 micro-batches: 1, "
            "2, 4, 8 would fit, or micro-batches of 16 images");
  EXPECT_EQ(refusal(request(24, 1, 8, 256)),
            "[mesh] 24 data ranks (24 ranks, 1 to a model) are more than the 8 micro-batches: 1, "
            "2, 4, 8 would fit, or a batch of 192 or 384 images in smaller micro-batches");
}

// Groups over which a sum would have other bits are refused.
TEST(CheckMesh, NamesTheShardGroups) {
  for (const int shards : {0, 1, 2, 4, 12}) {
    EXPECT_EQ(refusal(request(24, 2, 12, 0, shards)), "accepted") << shards;
  }
  EXPECT_EQ(refusal(request(24, 2, 12, 0, 3)),
            "[mesh] parallel.shard-ranks is 3, 12 data ranks (24 ranks, 2 to a model) can share "
            "the state by 1, 2, 4, 12: all of them, or a power of two that divides them");
  EXPECT_NE(refusal(request(4, 1, 8, 0, 8)), "accepted");
}

TEST(Mesh, OfOneRank) {
  const auto self = make_self_communicator();
  const Mesh mesh(*self, 1);
  EXPECT_EQ(mesh.data().size(), 1);
  EXPECT_EQ(mesh.tensor().size(), 1);
  EXPECT_EQ(mesh.text(), "data 1 x tensor 1");
}

}  // namespace
}  // namespace edt
