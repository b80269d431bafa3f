// The gradient of the bias table where ds lies in shared memory for products of warpgroups
// (attention_warpgroup_backward.cu): rows are keys, 128 bytes of 64 queries, swizzled.
//
// On a grid of g columns the pairs of a row of keys y' and a row of queries y are a square [g, g]
// of ds, whose entries have one distance y - y' of rows, and along each diagonal one of columns. So
// squares of one distance are added up first, by products with the identity on the tensor cores,
// and their diagonals once. A warp owns those distances that leave one of its residues of the rows:
// of each row of queries each residue is one row of keys, and the distance changes once as y grows.
// Every sum has one owner and one order.
#pragma once

#include "core/cuda/kernels/mma.cuh"
#include "core/cuda/kernels/warpgroup.cuh"

namespace edt {

// Plan::columns and rows of the grid, of 16 or 8 columns; Plan::tokens, Plan::threads.
template <class Plan>
class TableBySquares {
 public:
  static constexpr int kSpan = 2 * Plan::columns - 1, kEntries = (2 * Plan::rows - 1) * kSpan;
  // Of a warp: the rows of a square, each moved by one against the one before, so that a diagonal
  // is a column; zeros beside them. A distance at which few lanes of a store meet in a bank.
  static constexpr int kLine = Plan::columns == 16 ? 37 : 21;
  static constexpr int kSquareFloats = Plan::columns * kLine;

  // Both are 0 at first: `sums` [kEntries], and `squares`, kSquareFloats for each warp.
  __device__ TableBySquares(float* sums, float* squares)
      : sums_(sums), square_(squares + threadIdx.x / 32 * kSquareFloats) {}

  // The pairs of all keys and of 64 kTiles queries from row `first_y` on; `ds` has a tile [tokens]
  // [64] for each 64.
  template <int kTiles>
  __device__ void add(const unsigned char* ds, int first_y) {
    constexpr int kRows = kTiles * kRowsOfTile;
    // Of each residue the rows before the distance changes, and those after.
#pragma unroll 1
    for (int part = 0; part < 2 * kShares; ++part) {
      const int residue = threadIdx.x / 32 + part / 2 * kWarps;
      const int change = min(max(residue - first_y, 0), kRows);
      const int first = part % 2 == 0 ? 0 : change, end = part % 2 == 0 ? change : kRows;
      if (first == end) continue;
      const int distance = part % 2 == 0 ? residue - Plan::rows : residue;
      float square[kParts][4] = {};
      add_squares(ds, first, end, first_y + first - distance, square);
      add_diagonals(square, distance);
    }
  }

 private:
  static constexpr int kWarps = Plan::threads / 32, kShares = Plan::rows / kWarps;
  static constexpr int kParts = Plan::columns / 8;  // result tiles of a square
  static constexpr int kRowsOfTile = 64 / Plan::columns;
  static_assert(Plan::columns == 8 || Plan::columns == 16);
  static_assert(Plan::rows % kWarps == 0);

  // square += those of rows [first, end) of the pass's queries; `key_row` is the first one's.
  __device__ static void add_squares(const unsigned char* ds, int first, int end, int key_row,
                                     float (&square)[kParts][4]) {
    const int lane = threadIdx.x % 32, line = lane / 4, pair = lane % 4 * 2;
    const unsigned identity = line == pair ? 0x3f80u : line == pair + 1 ? 0x3f800000u : 0u;
    // Rows of keys lie a multiple of 1024 bytes apart, so the swizzle is that of the lane's key.
    const unsigned own = in_rows_of_128(lane % Plan::columns, lane / 16 * 16 % (Plan::columns * 2));
    const unsigned char* keys = ds + key_row * (Plan::columns * 128);
#pragma unroll 2
    for (int row = first; row < end; ++row, keys += Plan::columns * 128) {
      const unsigned place = own ^ static_cast<unsigned>(row % kRowsOfTile * (Plan::columns * 2));
      const unsigned char* const from = keys + row / kRowsOfTile * (Plan::tokens * 128) + place;
      unsigned left[4];
      load_matrices(left, reinterpret_cast<const Bf16*>(from));
      if constexpr (Plan::columns == 16) {
        mma(square[0], left, identity, 0);
        mma(square[1], left, 0, identity);
      } else {
        const unsigned upper[4] = {left[0], 0, 0, 0};
        mma(square[0], upper, identity, 0);
      }
    }
  }

  // A lane for each diagonal: queries so many columns behind their keys.
  __device__ void add_diagonals(const float (&square)[kParts][4], int distance) {
    const int lane = threadIdx.x % 32;
    float* const to = square_ + lane / 4 * (kLine - 1) + lane % 4 * 2 + Plan::columns - 1;
    __syncwarp();  // the square before has been read
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
#pragma unroll
      for (int i = 0; i < (Plan::columns == 16 ? 4 : 2); ++i) {
        to[i / 2 * 8 * (kLine - 1) + part * 8 + i % 2] = square[part][i];
      }
    }
    __syncwarp();
    if (lane < kSpan) {
      float sum = 0;
#pragma unroll
      for (int key = 0; key < Plan::columns; ++key) sum += square_[key * kLine + lane];
      sums_[(distance + Plan::rows - 1) * kSpan + lane] += sum;
    }
    __syncwarp();  // products and matrix loads are of whole warps
  }

  float *sums_, *square_;
};

}  // namespace edt
