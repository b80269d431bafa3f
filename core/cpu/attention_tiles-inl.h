// Small matrix products of attention: register tiles of R rows by V vectors.
#if defined(EDT_CORE_CPU_ATTENTION_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDT_CORE_CPU_ATTENTION_TILES_INL_H_
#undef EDT_CORE_CPU_ATTENTION_TILES_INL_H_
#else
#define EDT_CORE_CPU_ATTENTION_TILES_INL_H_
#endif

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {

// 6 rows of 2 vectors fill the 16 registers of AVX2 with 12 sums.
inline constexpr std::int64_t kTileRows = 6;

// Element (r, k) of the left operand is at data[r / 6 * block + r % 6 * row + k / inner * outer +
// k % inner * step].
struct Left {
  const float* data;
  std::int64_t block, row, step;
  std::int64_t inner, outer_count = 1, outer = 0;  // depth = inner * outer_count
};

// c[R rows][V vectors] (+)= a b over the depth; b has `b_stride` floats from one k to the next.
template <int R, int V>
HWY_INLINE void Tile(const Left& a, const float* a_data, const float* b, std::int64_t b_stride,
                     float* c, std::int64_t c_stride, bool accumulate) {
  const std::int64_t lanes = Lanes();
  FloatVec sum[R][V];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      sum[r][v] = accumulate ? LoadVec(c + r * c_stride + v * lanes) : Zero();
    }
  }
  for (std::int64_t o = 0; o < a.outer_count; ++o) {
    const float* p = a_data + o * a.outer;
    for (std::int64_t k = 0; k < a.inner; ++k, p += a.step, b += b_stride) {
      FloatVec right[V];
      for (int v = 0; v < V; ++v) right[v] = LoadVec(b + v * lanes);
      for (int r = 0; r < R; ++r) {
        const FloatVec left = Set(p[r * a.row]);
        for (int v = 0; v < V; ++v) sum[r][v] = hn::MulAdd(left, right[v], sum[r][v]);
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) StoreVec(sum[r][v], c + r * c_stride + v * lanes);
  }
}

// c[rows][V vectors] (+)= a b
template <int V>
void PanelProduct(std::int64_t rows, const Left& a, const float* b, std::int64_t b_stride, float* c,
                  std::int64_t c_stride, bool accumulate) {
  const float* data = a.data;
  std::int64_t left = rows;
  for (; left >= kTileRows; left -= kTileRows) {
    Tile<kTileRows, V>(a, data, b, b_stride, c, c_stride, accumulate);
    data += a.block;
    c += kTileRows * c_stride;
  }
  switch (left) {
    case 5:
      return Tile<5, V>(a, data, b, b_stride, c, c_stride, accumulate);
    case 4:
      return Tile<4, V>(a, data, b, b_stride, c, c_stride, accumulate);
    case 3:
      return Tile<3, V>(a, data, b, b_stride, c, c_stride, accumulate);
    case 2:
      return Tile<2, V>(a, data, b, b_stride, c, c_stride, accumulate);
    case 1:
      return Tile<1, V>(a, data, b, b_stride, c, c_stride, accumulate);
    default:
      return;
  }
}

// c[rows][columns] += a b, columns a multiple of the lanes.
inline void WideProduct(std::int64_t rows, std::int64_t columns, const Left& a, const float* b,
                        std::int64_t b_stride, float* c, std::int64_t c_stride) {
  const std::int64_t lanes = Lanes();
  std::int64_t j = 0;
  for (; j + 2 * lanes <= columns; j += 2 * lanes) {
    PanelProduct<2>(rows, a, b + j, b_stride, c + j, c_stride, true);
  }
  if (j < columns) PanelProduct<1>(rows, a, b + j, b_stride, c + j, c_stride, true);
}

}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#endif
