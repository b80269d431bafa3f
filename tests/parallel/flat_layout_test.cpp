#include "parallel/sharding/flat_layout.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/parallel/small_layout.h"

namespace edt {
namespace {

using test::small_layout;

constexpr std::int64_t kBlock = 64;

TEST(FlatLayout, AlignsTensorsAndGroups) {
  const FlatLayout layout = small_layout();
  std::vector<std::int64_t> offsets;
  for (const FlatTensor& tensor : layout.tensors()) offsets.push_back(tensor.offset);
  EXPECT_THAT(offsets, ::testing::ElementsAre(0, 80, 128, 736, 768, 1376, 1408));
  EXPECT_EQ(layout.size(), 1728);
  EXPECT_EQ(layout.elements(), 70 + 10 + 600 + 20 + 600 + 1 + 300);
}

TEST(FlatLayout, GroupsArePartsOfTheModel) {
  const FlatLayout layout = small_layout();
  std::vector<std::string> names;
  std::int64_t end = 0;
  for (const FlatBucket& group : layout.groups()) {
    names.push_back(group.name);
    EXPECT_EQ(group.range.begin, end);
    EXPECT_EQ(group.range.end % kBlock, 0);
    end = group.range.end;
  }
  EXPECT_EQ(end, layout.size());
  EXPECT_THAT(names, ::testing::ElementsAre("x_embedder", "blocks.0", "blocks.1", "final_layer"));
}

TEST(FlatLayout, GroupOfAName) {
  EXPECT_EQ(group_of("blocks.12.attn.qkv.weight"), "blocks.12");
  EXPECT_EQ(group_of("encoder.stages.3.norm"), "encoder.stages.3");
  EXPECT_EQ(group_of("block_groups.1.12.scale_shift_bias_c"), "block_groups.1.12");
  EXPECT_EQ(group_of("projectors.0.2.weight"), "projectors.0");
  EXPECT_EQ(group_of("final_layer.linear.bias"), "final_layer");
  EXPECT_EQ(group_of("pos_embed"), "pos_embed");
  EXPECT_EQ(group_of("t_embedder.mlp.0.weight"), "t_embedder.mlp.0");
}

TEST(FlatLayout, FindsTensorsByName) {
  const FlatLayout layout = small_layout();
  EXPECT_EQ(layout.find("blocks.1.table"), 5u);
  EXPECT_EQ(layout.find("blocks.1"), layout.tensors().size());
}

TEST(FlatLayout, BucketsJoinNeighbours) {
  const FlatLayout layout = small_layout();
  const auto buckets = layout.buckets(700);
  ASSERT_EQ(buckets.size(), 2u);
  EXPECT_EQ(buckets[0].range, (FlatRange{0, 768}));
  EXPECT_EQ(buckets[0].last, 4u);
  EXPECT_EQ(buckets[1].first, 4u);
  EXPECT_EQ(buckets[1].range, (FlatRange{768, 1728}));
  EXPECT_EQ(layout.buckets(0).size(), layout.groups().size());
}

TEST(FlatLayout, OneRankOwnsOneContiguousPart) {
  const FlatLayout layout = small_layout();
  const FlatShard shard = layout.whole();
  ASSERT_EQ(shard.parts.size(), 1u);
  EXPECT_EQ(shard.parts[0].range, (FlatRange{0, layout.size()}));
}

class Shards : public ::testing::TestWithParam<std::tuple<int, std::int64_t>> {};

TEST_P(Shards, CoverTheBufferOnceInWholeBlocks) {
  const FlatLayout layout = small_layout();
  const auto [ranks, bucket] = GetParam();
  const auto buckets = layout.buckets(bucket);
  std::vector<int> owners(static_cast<std::size_t>(layout.size()));
  for (int rank = 0; rank < ranks; ++rank) {
    std::int64_t packed = 0;
    for (const auto& part : layout.shard(buckets, rank, ranks).parts) {
      EXPECT_EQ(part.offset, packed);
      EXPECT_EQ(part.range.begin % kBlock, 0);
      EXPECT_EQ(part.range.end % kBlock, 0);
      packed += part.range.elements();
      for (auto i = part.range.begin; i < part.range.end; ++i) ++owners[std::size_t(i)];
    }
  }
  EXPECT_THAT(owners, ::testing::Each(1));
}

TEST_P(Shards, FragmentsCoverEachTensorElementOnce) {
  const FlatLayout layout = small_layout();
  const auto [ranks, bucket] = GetParam();
  const auto buckets = layout.buckets(bucket);
  std::vector<std::vector<int>> owners;
  for (const auto& tensor : layout.tensors()) owners.emplace_back(tensor.elements());
  for (int rank = 0; rank < ranks; ++rank) {
    const FlatShard shard = layout.shard(buckets, rank, ranks);
    for (const FlatFragment& fragment : layout.fragments(shard)) {
      for (auto i = fragment.begin; i < fragment.end; ++i) {
        ++owners[fragment.tensor][std::size_t(i)];
        // The same element reached through the packed buffer.
        const std::int64_t packed = fragment.offset + i - fragment.begin;
        const std::int64_t flat = layout.tensor(fragment.tensor).offset + i;
        const bool there =
            std::any_of(shard.parts.begin(), shard.parts.end(), [&](const FlatShard::Part& part) {
              return flat >= part.range.begin && flat < part.range.end &&
                     part.offset + flat - part.range.begin == packed;
            });
        ASSERT_TRUE(there) << layout.tensor(fragment.tensor).name << " element " << i;
      }
    }
  }
  for (const auto& tensor : owners) EXPECT_THAT(tensor, ::testing::Each(1));
}

INSTANTIATE_TEST_SUITE_P(Ranks, Shards,
                         ::testing::Combine(::testing::Values(1, 2, 3, 4, 8, 40),
                                            ::testing::Values(0, 700, 100000)));

TEST(FlatLayout, RefusesRepeatedNamesAndEmptyTensors) {
  EXPECT_THROW(FlatLayout({{"a", {2}}, {"a", {3}}}, kBlock), Error);
  EXPECT_THROW(FlatLayout({{"a", {2, 0}}}, kBlock), Error);
}

}  // namespace
}  // namespace edt
