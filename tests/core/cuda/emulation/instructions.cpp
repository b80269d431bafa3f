// The tensor cores' product and the matrix loads, as the PTX manual lays out their operands.
#include "tests/core/cuda/emulation/emulation.h"

namespace edt {
namespace {

using emulation::Slot;

int lane() { return static_cast<int>(threadIdx.x % 32); }

float half_of(std::uint64_t word, int which) {
  const auto bits = static_cast<std::uint32_t>(word >> (16 * which)) << 16;
  return std::bit_cast<float>(bits);
}

// The 8x8 matrix whose rows the lanes 8 * matrix ... point at.
void load_matrix(unsigned& r, const Bf16* const (&rows)[32], int matrix, bool transposed) {
  const int low = lane() % 4 * 2, line = lane() / 4;
  std::uint16_t halves[2];
  for (int i = 0; i < 2; ++i) {
    const Bf16* from =
        transposed ? rows[8 * matrix + low + i] + line : rows[8 * matrix + line] + low + i;
    std::memcpy(&halves[i], from, 2);
  }
  r = halves[0] | static_cast<unsigned>(halves[1]) << 16;
}

template <int kCount>
void load(unsigned (&r)[kCount], const Bf16* row, bool transposed) {
  if (lane() < 8 * kCount && reinterpret_cast<std::uintptr_t>(row) % 16 != 0) {
    emulation::fail("a matrix row that is not aligned to 16 bytes");
  }
  emulation::slot_of(lane()).words[0] = reinterpret_cast<std::uintptr_t>(row);
  emulation::warp_barrier();
  const Bf16* rows[32];
  for (int i = 0; i < 32; ++i) {
    rows[i] = reinterpret_cast<const Bf16*>(emulation::slot_of(i).words[0]);
  }
  for (int i = 0; i < kCount; ++i) load_matrix(r[i], rows, i, transposed);
  emulation::warp_barrier();
}

}  // namespace

void load_matrices(unsigned (&r)[4], const Bf16* row) { load(r, row, false); }
void load_transposed(unsigned (&r)[4], const Bf16* row) { load(r, row, true); }

void mma(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  Slot& mine = emulation::slot_of(lane());
  std::copy(a, a + 4, mine.words);
  mine.words[4] = b0;
  mine.words[5] = b1;
  emulation::warp_barrier();
  for (int i = 0; i < 4; ++i) {
    const int row = lane() / 4 + i / 2 * 8, column = lane() % 4 * 2 + i % 2;
    for (int k = 0; k < 16; ++k) {
      const Slot& left = emulation::slot_of(row % 8 * 4 + k % 8 / 2);
      const Slot& right = emulation::slot_of(column * 4 + k % 8 / 2);
      c[i] +=
          half_of(left.words[row / 8 + k / 8 * 2], k % 2) * half_of(right.words[4 + k / 8], k % 2);
    }
  }
  emulation::warp_barrier();
}

}  // namespace edt
