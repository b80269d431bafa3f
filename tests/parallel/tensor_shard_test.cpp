#include "parallel/tensor/tensor_shard.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <numeric>

namespace edt {
namespace {

using ::testing::ElementsAre;

std::vector<float> counted(std::int64_t n) {
  std::vector<float> values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), 0.f);
  return values;
}

std::vector<float> taken(const TensorShard& shard) {
  std::vector<float> local(static_cast<std::size_t>(shard.local().elements()));
  shard.take(counted(shard.logical.elements()), local);
  return local;
}

TEST(TensorShard, RowsInChunks) {
  // Two queries, two keys, two values; this rank has the second of each.
  const TensorShard shard{{6, 2}, TensorCut::rows(3), 1, 2};
  EXPECT_EQ(shard.local(), (Shape{3, 2}));
  EXPECT_THAT(taken(shard), ElementsAre(2, 3, 6, 7, 10, 11));
  const TensorShard bias{{6}, TensorCut::rows(3), 0, 2};
  EXPECT_THAT(taken(bias), ElementsAre(0, 2, 4));
}

TEST(TensorShard, Columns) {
  const TensorShard shard{{2, 6}, TensorCut::columns(), 2, 3};
  EXPECT_EQ(shard.local(), (Shape{2, 2}));
  EXPECT_THAT(taken(shard), ElementsAre(4, 5, 10, 11));
}

TEST(TensorShard, WholeWithoutACutOrWithOneRank) {
  EXPECT_TRUE((TensorShard{{4, 2}, {}, 1, 2}).whole());
  EXPECT_TRUE((TensorShard{{4, 2}, TensorCut::rows(), 0, 1}).whole());
  EXPECT_THAT(taken({{2, 2}, {}, 1, 2}), ElementsAre(0, 1, 2, 3));
}

TEST(TensorShard, FitsWhereAllRanksGetTheSame) {
  EXPECT_TRUE((TensorShard{{12, 5}, TensorCut::rows(3), 0, 4}).fits());
  EXPECT_FALSE((TensorShard{{12, 5}, TensorCut::rows(3), 0, 8}).fits());
  EXPECT_FALSE((TensorShard{{12, 5}, TensorCut::columns(), 0, 2}).fits());
}

// The two descriptions of a shard say the same: boxes for checkpoints, runs for copies.
TEST(TensorShard, BoxesHoldTheElementsInOrder) {
  for (const TensorCut cut :
       {TensorCut{}, TensorCut::rows(), TensorCut::rows(3), TensorCut::columns()}) {
    for (int rank = 0; rank < 2; ++rank) {
      const TensorShard shard{{12, 8}, cut, rank, 2};
      std::vector<float> elements;
      for (const TensorShard::Box& box : shard.boxes()) {
        for (std::int64_t row = 0; row < box.extent[0]; ++row) {
          for (std::int64_t column = 0; column < box.extent[1]; ++column) {
            elements.push_back(
                static_cast<float>((box.origin[0] + row) * 8 + box.origin[1] + column));
          }
        }
      }
      EXPECT_EQ(elements, taken(shard));
    }
  }
}

TEST(TensorShard, PutUndoesTake) {
  for (const TensorCut cut : {TensorCut::rows(3), TensorCut::columns()}) {
    std::vector<float> joined(12 * 9, -1);
    for (int rank = 0; rank < 3; ++rank) {
      const TensorShard shard{{12 * 3 / 4, 12}, cut, rank, 3};
      shard.put(taken(shard), joined);
    }
    EXPECT_EQ(joined, counted(12 * 9));
  }
}

TEST(TensorShard, CopiesAreCountedOnTheFirstRankOnly) {
  const FlatLayout layout({{"cut", {32}}, {"copy", {20}}, {"b.cut", {70}}, {"b.copy", {3}}}, 16);
  const auto copies = [&](int rank, const FlatShard& part) {
    const std::vector<TensorShard> cuts{{{64}, TensorCut::rows(), rank, 2},
                                        {{20}, {}, rank, 2},
                                        {{140}, TensorCut::rows(), rank, 2},
                                        {{3}, {}, rank, 2}};
    std::vector<std::pair<std::size_t, std::size_t>> found;
    for (const ElementRange& r : copies_in(layout, cuts, part)) found.emplace_back(r.begin, r.end);
    return found;
  };
  EXPECT_TRUE(copies(0, layout.whole()).empty());
  const auto offset = static_cast<std::size_t>(layout.tensor(3).offset);
  EXPECT_THAT(copies(1, layout.whole()),
              ElementsAre(std::pair{32, 52}, std::pair{offset, offset + 3}));
  // The second of two data ranks holds half of "copy" and all of "b.copy".
  const FlatShard half = layout.shard(layout.buckets(1 << 20), 1, 2);
  std::size_t elements = 0;
  for (const auto& [begin, end] : copies(1, half)) {
    EXPECT_LE(end, static_cast<std::size_t>(half.elements()));
    elements += end - begin;
  }
  const FlatShard other = layout.shard(layout.buckets(1 << 20), 0, 2);
  for (const auto& [begin, end] : copies(1, other)) elements += end - begin;
  EXPECT_EQ(elements, 23u);
}

}  // namespace
}  // namespace edt
