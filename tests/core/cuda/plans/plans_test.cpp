// Launch geometry, shared memory and cache keys.
#include <gtest/gtest.h>

#include "core/cuda/gemm.h"
#include "core/cuda/kernels/attention_memory.h"
#include "core/cuda/kernels/rows.h"

namespace edt {
namespace {

constexpr int kA100Shared = 163 * 1024;  // bytes that one block may ask for; H100 grants 227 KiB

AttentionSizes sizes(int grid, int size) {
  return {
      .batch = 2, .tokens = grid * grid, .heads = 3, .size = size, .rows = grid, .columns = grid};
}

TEST(AttentionPlan, SharedMemoryFitsAnAmpereBlock) {
  for (const int grid : {1, 2, 3, 4, 8, 16, 32}) {
    for (const int size : {52, 56, 64, 80}) {
      if (size > 64 && grid > 16) continue;
      EXPECT_LE(forward_shared_bytes(sizes(grid, size)), kA100Shared);
      EXPECT_LE(backward_shared_bytes(sizes(grid, size)), kA100Shared);
    }
  }
}

// 8.6 and 8.9 grant 99 KiB: training at 256 tokens takes the plain kernels there.
TEST(AttentionPlan, SmallerGpusHaveRoomForTheForwardKernelOnly) {
  constexpr int kSmallerShared = 99 * 1024;
  EXPECT_LE(forward_shared_bytes(sizes(32, 52)), kSmallerShared);
  EXPECT_LE(backward_shared_bytes(sizes(8, 52)), kSmallerShared);
  EXPECT_GT(backward_shared_bytes(sizes(16, 52)), kSmallerShared);
}

// The blocks of the forward kernel that its registers allow must share a multiprocessor at 256
// tokens; three of four warps on an A100.
TEST(AttentionPlan, ForwardLeavesRoomForItsBlocks) {
  EXPECT_LE(3 * (ForwardPlan<56, 4>::shared_bytes(sizes(16, 52))), kA100Shared);
  EXPECT_LE(2 * (ForwardPlan<56, 8>::shared_bytes(sizes(16, 52))), kA100Shared);
}

// Large blocks where they still are two for each multiprocessor of an H100, and never beyond the
// queries that there are.
TEST(AttentionPlan, ForwardBlocks) {
  AttentionSizes s = sizes(16, 52);
  s.batch = 44, s.heads = 3;
  EXPECT_EQ(forward_warps(s), 8);
  s.batch = 43;
  EXPECT_EQ(forward_warps(s), 4);
  s = sizes(8, 52);
  s.batch = 1000;
  EXPECT_EQ(forward_warps(s), 4);
  s = sizes(4, 52);
  s.batch = 1000;
  EXPECT_EQ(forward_warps(s), 1);
}

// The table's gradient is formed on the tensor cores for grids of 16 and 8 columns, where the block
// fits: on an A100 not beside heads of 72.
TEST(AttentionPlan, SkewedTables) {
  constexpr int kH100Shared = 227 * 1024;
  EXPECT_TRUE(takes_skewed(sizes(16, 52), kA100Shared));
  EXPECT_TRUE(takes_skewed(sizes(8, 52), kA100Shared));
  EXPECT_TRUE(takes_skewed(sizes(16, 72), kH100Shared));
  EXPECT_FALSE(takes_skewed(sizes(16, 72), kA100Shared));
  EXPECT_FALSE(takes_skewed(sizes(4, 52), kH100Shared));   // one warp
  EXPECT_FALSE(takes_skewed(sizes(32, 52), kH100Shared));  // another width
  AttentionSizes s = sizes(16, 52);
  s.tokens = 200;  // some were dropped
  EXPECT_FALSE(takes_skewed(s, kH100Shared));
  s.rows = 48, s.tokens = 48 * 16;
  EXPECT_TRUE(takes_skewed(s, kH100Shared));
  s.rows = 64, s.tokens = 64 * 16;
  EXPECT_FALSE(takes_skewed(s, kH100Shared));  // more distances than an accumulator has columns
}

TEST(AttentionPlan, HeadsArePaddedToWholeProducts) {
  EXPECT_EQ(HeadPlan<56>::steps, 4);
  EXPECT_EQ(HeadPlan<56>::padded, 64);
  EXPECT_EQ(HeadPlan<56>::tiles, 7);
  EXPECT_EQ(HeadPlan<80>::padded, 80);
}

TEST(AttentionPlan, KnownColumns) {
  EXPECT_TRUE(has_known_columns(sizes(16, 52), 8));
  EXPECT_TRUE(has_known_columns(sizes(8, 52), 4));
  EXPECT_FALSE(has_known_columns(sizes(16, 52), 4));
  EXPECT_FALSE(has_known_columns(sizes(4, 52), 1));
  AttentionSizes s = sizes(16, 52);
  s.tokens = 128;  // some were dropped
  EXPECT_FALSE(has_known_columns(s, 8));
  s.rows = 9, s.tokens = 9 * 16;
  EXPECT_FALSE(has_known_columns(s, 8));  // a block of 128 queries has some beyond the last
}

// Table rows as core/ops/attention.h defines them.
TEST(AttentionPlan, TableOffsets) {
  for (const int grid : {1, 3, 4, 16}) {
    const AttentionSizes s = sizes(grid, 52);
    for (int i = 0; i < s.tokens; ++i) {
      for (int j = 0; j < s.tokens; ++j) {
        const int row =
            (i / grid - j / grid + grid - 1) * (2 * grid - 1) + i % grid - j % grid + grid - 1;
        ASSERT_EQ(s.query_offset(i) - s.key_offset(j), row);
      }
    }
  }
}

TEST(AttentionPlan, TableOffsetsOfWideAndHighGrids) {
  for (const auto& [rows, columns] : {std::pair{2, 16}, {16, 2}, {9, 5}, {1, 7}}) {
    AttentionSizes s = sizes(1, 52);
    s.tokens = rows * columns, s.rows = rows, s.columns = columns;
    EXPECT_EQ(s.table_rows(), (2 * rows - 1) * (2 * columns - 1));
    for (int i = 0; i < s.tokens; ++i) {
      for (int j = 0; j < s.tokens; ++j) {
        const int row = (i / columns - j / columns + rows - 1) * (2 * columns - 1) + i % columns -
                        j % columns + columns - 1;
        ASSERT_EQ(s.query_offset(i) - s.key_offset(j), row);
      }
    }
  }
}

TEST(AttentionPlan, TensorCoresTakeWhatTheyCanHold) {
  for (const int grid : {3, 4, 8, 16, 32}) EXPECT_TRUE(tensor_cores_fit(sizes(grid, 52))) << grid;
  EXPECT_TRUE(tensor_cores_fit(sizes(16, 72)));
  EXPECT_FALSE(tensor_cores_fit(sizes(32, 72)));  // more shared memory than there is
  EXPECT_FALSE(tensor_cores_fit(sizes(1, 52)));   // one token
  EXPECT_FALSE(tensor_cores_fit(sizes(8, 50)));   // rows of less than 8 bytes
  EXPECT_FALSE(tensor_cores_fit(sizes(8, 84)));   // wider than any instance
  EXPECT_FALSE(tensor_cores_fit(sizes(24, 52)));  // grid rows across blocks of keys
  EXPECT_FALSE(tensor_cores_fit(sizes(64, 52)));  // a table beyond shared memory
  AttentionSizes wide = sizes(16, 52);
  wide.rows = 8, wide.columns = 64, wide.tokens = 512;
  EXPECT_TRUE(tensor_cores_fit(wide));
  wide.rows = 12, wide.columns = 48, wide.tokens = 576;
  EXPECT_FALSE(tensor_cores_fit(wide));  // grid rows across blocks of keys
}

TEST(AttentionPlan, KeyBlocks) {
  EXPECT_EQ(key_blocks(9), 1);
  EXPECT_EQ(key_blocks(64), 1);
  EXPECT_EQ(key_blocks(256), 1);
  EXPECT_EQ(key_blocks(1024), 4);
}

TEST(AttentionPlan, OffsetsDoNotOverflow) {
  // EDT-XL at 512x512, a batch beyond 2^31 elements
  const AttentionSizes s{
      .batch = 1024, .tokens = 1024, .heads = 18, .size = 52, .rows = 32, .columns = 32};
  EXPECT_EQ(s.qkv_at(1023, 2, 17), std::int64_t{1023} * 1024 * 3 * 18 * 52 + (2 * 18 + 17) * 52);
  EXPECT_GT(s.qkv_at(1023, 0, 0), std::int64_t{1} << 31);
  EXPECT_GT(s.out_at(1023, 0) * 3, std::int64_t{1} << 31);
}

// Blocks of the backward kernels for 128 images of EDT-XL, B and S: no more than an H100 has at
// once, by 80 registers a thread.
TEST(RowPlan, BackwardFillsAnH100Once) {
  for (const auto& [width, slices] : {std::pair{936, 4}, {624, 5}, {312, 8}}) {
    const RowPlan plan = backward_plan(128, 256, width, true);
    EXPECT_EQ(plan.slices, slices) << width;
    EXPECT_LE(128 * plan.slices, 132 * (65536 / (128 * plan.threads))) << width;
  }
}

// Every row belongs to exactly one slice, and every slice has one.
TEST(RowPlan, SlicesCoverTheRows) {
  for (const std::int64_t rows : {1, 5, 16, 17, 64, 256, 1024}) {
    for (const std::int64_t batch : {1, 3, 32, 128, 1000}) {
      for (const RowPlan& plan :
           {forward_plan(rows, 936, true), backward_plan(batch, rows, 936, true)}) {
        EXPECT_GE(plan.slices * plan.rows_per_slice, rows);
        EXPECT_LT((plan.slices - 1) * plan.rows_per_slice, rows);
      }
    }
  }
}

TEST(RowPlan, ThreadsCoverTheColumns) {
  for (const std::int64_t width : {4, 13, 52, 312, 936, 1024, 4992, 6144}) {
    const bool vectors = width % 8 == 0;
    const RowPlan plan = threads_for(width, vectors);
    if (vectors || width <= kMostScalarThreads) {
      EXPECT_EQ(plan.threads % 32, 0);
      EXPECT_GE(plan.threads * plan.vector, width);
    }
  }
  EXPECT_EQ(threads_for(6152, true).threads, 0);
  EXPECT_EQ(threads_for(1025, false).threads, 0);
}

Gemm gemm() {
  static float data[64];
  return {.m = 3, .n = 4, .k = 5, .a = data, .b = data, .y = data};
}

TEST(GemmKey, DependsOnWhatTheAlgorithmDependsOn) {
  const auto key_of = [](const Gemm& p) { return GemmKey(p, false); };
  const GemmKey key = key_of(gemm());
  EXPECT_EQ(key, key_of(gemm()));
  Gemm other = gemm();
  other.k = 6;
  EXPECT_NE(key, key_of(other));
  other = gemm();
  other.a_transposed = true;
  EXPECT_NE(key, key_of(other));
  other = gemm();
  other.epilogue = Epilogue::kBias;
  EXPECT_NE(key, key_of(other));
  other = gemm();
  other.batch.count = 2;
  EXPECT_NE(key, key_of(other));
  const GemmKey batch = key_of(other);
  other.batch.as_singles = true;
  EXPECT_NE(batch, key_of(other));
  other = gemm();
  other.accumulate = true;  // only the factor of the old result
  EXPECT_EQ(key, key_of(other));
}

TEST(GemmKey, Tf32MattersToFloat32Alone) {
  Gemm one = gemm();
  EXPECT_NE(GemmKey(one, true), GemmKey(one, false));
  one.in = DType::kBFloat16;
  EXPECT_EQ(GemmKey(one, true), GemmKey(one, false));
}

TEST(GemmKey, AlignmentIsCappedAt16) {
  const auto at = [](std::uintptr_t address) {
    return alignment_of(reinterpret_cast<const void*>(address));
  };
  EXPECT_EQ(at(4096), 16u);
  EXPECT_EQ(at(24), 8u);
  EXPECT_EQ(at(4), 4u);
  EXPECT_EQ(at(2), 2u);
  EXPECT_EQ(at(0), 16u);  // nothing to align
}

}  // namespace
}  // namespace edt
