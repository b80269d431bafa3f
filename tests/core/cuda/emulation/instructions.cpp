// The tensor cores' product and the matrix loads, as the PTX manual lays out their operands.
#include "tests/core/cuda/emulation/emulation.h"

namespace edt {
namespace {

int lane() { return static_cast<int>(threadIdx.x % 32); }

// Two bf16 values of one register.
void unpack(unsigned pair, float* to) {
  to[0] = std::bit_cast<float>(pair << 16);
  to[1] = std::bit_cast<float>(pair & 0xffff0000u);
}

// The 8x8 matrix at whose rows `row(0)` ... `row(7)` point.
template <class Row>
void load_matrix(unsigned& r, Row row, bool transposed) {
  const int low = lane() % 4 * 2, line = lane() / 4;
  std::uint16_t halves[2];
  for (int i = 0; i < 2; ++i) {
    const Bf16* from = transposed ? row(low + i) + line : row(line) + low + i;
    std::memcpy(&halves[i], from, 2);
  }
  r = halves[0] | static_cast<unsigned>(halves[1]) << 16;
}

template <int kCount>
void load(unsigned (&r)[kCount], const Bf16* row, bool transposed) {
  if (lane() < 8 * kCount && reinterpret_cast<std::uintptr_t>(row) % 16 != 0) {
    emulation::fail("a matrix row that is not aligned to 16 bytes");
  }
  auto& lanes = emulation::next_exchange().lanes;
  lanes[lane()][0] = reinterpret_cast<std::uintptr_t>(row);
  emulation::warp_barrier();
  for (int i = 0; i < kCount; ++i) {
    const auto row_of = [&](int of) { return reinterpret_cast<const Bf16*>(lanes[8 * i + of][0]); };
    load_matrix(r[i], row_of, transposed);
  }
}

}  // namespace

void load_matrices(unsigned (&r)[4], const Bf16* row) { load(r, row, false); }
void load_transposed(unsigned (&r)[4], const Bf16* row) { load(r, row, true); }

void mma(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  auto& [left, right] = emulation::next_exchange().matrices;
  const int line = lane() / 4, pair = lane() % 4 * 2;
  for (int i = 0; i < 4; ++i) unpack(a[i], &left[line + i % 2 * 8][pair + i / 2 * 8]);
  unpack(b0, &right[line][pair]);
  unpack(b1, &right[line][pair + 8]);
  emulation::warp_barrier();
  // By pointers: indices of arrays are checked, and here are a quarter of all that tests do.
  const float *l0 = left[line], *l1 = left[line + 8], *r0 = right[pair], *r1 = right[pair + 1];
  float c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3];
  for (int k = 0; k < 16; ++k) {
    c0 += l0[k] * r0[k];
    c1 += l0[k] * r1[k];
    c2 += l1[k] * r0[k];
    c3 += l1[k] * r1[k];
  }
  c[0] = c0, c[1] = c1, c[2] = c2, c[3] = c3;
}

}  // namespace edt
