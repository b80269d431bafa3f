// The tensor cores' asynchronous products of sm_90a (wgmma), as far as attention uses them: four
// warps, a warpgroup, multiply a left operand [64, 16], in their registers or in shared memory,
// with a right one [16, N] in shared memory. Sources: PTX ISA 9.0, "Asynchronous Warpgroup Level
// Matrix Instructions", sections 9.7.15.5.1 (layouts) and 9.7.15.7 (fence, commit, wait).
//
// Registers. Warp w of the group has rows 16 w ... 16 w + 15 of the left operand and of the result,
// which lie in its threads as in mma.cuh: c[t] is the result tile of columns 8 t ... 8 t + 7.
//
// Shared memory. An operand is described by its first byte, a swizzle and two distances; a left one
// as a right one, with its rows for n. With a swizzle of S bytes (128, 64 or 32) memory has rows of
// S bytes, S / 16 pieces of 16, of which the one at address a lies where bits 4, 5, 6 of a are
// changed by bits 7, 8, 9 (as many as the swizzle takes): what an eighth of a tile reads at once
// lies in different banks.
//   [n][k] ("K-major"): a row of memory is one column n; `stride_bytes` lie between each eight of
//     them. The 16 values of k are 32 bytes within the row: the next product begins 32 bytes on.
//   [k][n] ("MN-major"): a row of memory is one value of k, with S / 2 columns; `stride_bytes` lie
//     between each eight values of k, `leading_bytes` between parts of S / 2 columns.
//
// Order. What a product reads and writes belongs to it from its issue until wait_for_products():
// accumulators, left operands, shared memory. fence_registers() comes before the first product, and
// before one that follows other accesses to its registers, and names them: what was written to them
// stays before it. Shared memory that threads have written by themselves (put_for_products) is seen
// once they have called publish_stores(), and have met the threads of the product at a barrier;
// what box_copy.cuh brings is seen by whoever waits for it.
#pragma once

#include <cstdint>

#include "core/base/host_device.h"

namespace edt {

enum class Swizzle : unsigned { k128Bytes = 1, k64Bytes = 2, k32Bytes = 3 };

// Bits 0-13: address / 16, 16-29: leading / 16, 32-45: stride / 16, 62-63: the swizzle. The base
// offset, bits 49-51, is 0: memory begins where the pattern of the swizzle does, at a multiple of
// eight of its rows.
EDT_HOST_DEVICE inline std::uint64_t shared_operand(unsigned address, Swizzle swizzle,
                                                    unsigned leading_bytes, unsigned stride_bytes) {
  const auto field = [](unsigned bytes) { return std::uint64_t{(bytes & 0x3ffffu) >> 4}; };
  return field(address) | field(leading_bytes) << 16 | field(stride_bytes) << 32 |
         static_cast<std::uint64_t>(swizzle) << 62;
}

// The same operand `bytes` further on: of addresses, which never carry beyond their field.
EDT_HOST_DEVICE inline std::uint64_t further_on(std::uint64_t operand, unsigned bytes) {
  return operand >> 32 << 32 | (static_cast<unsigned>(operand) + (bytes >> 4));
}

// Where byte `byte` of row `row` lies in rows of 128 bytes with a swizzle of as many, the first of
// which begins at a multiple of 1024.
EDT_HOST_DEVICE inline unsigned in_rows_of_128(unsigned row, unsigned byte) {
  return row * 128 + (byte ^ row % 8 * 16);
}

}  // namespace edt

#ifdef __CUDACC__
#include "core/cuda/kernels/warpgroup_instructions.cuh"
#endif
