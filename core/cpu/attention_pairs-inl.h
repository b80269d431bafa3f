// bf16 products of attention by AVX-512's dot products of pairs (vdpbf16ps): a 32-bit lane holds
// two neighbours along the depth of a product, and sums are float32.
#if defined(EDT_CORE_CPU_ATTENTION_PAIRS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDT_CORE_CPU_ATTENTION_PAIRS_INL_H_
#undef EDT_CORE_CPU_ATTENTION_PAIRS_INL_H_
#else
#define EDT_CORE_CPU_ATTENTION_PAIRS_INL_H_
#endif

#include "core/cpu/attention_pack-inl.h"
#include "core/cpu/pairs-inl.h"

#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(EDT_PAIRS_TARGET)
namespace edt {
namespace HWY_NAMESPACE {

// Pair (r, k) of the left operand is at data[r * row + k / inner * outer + k % inner * step].
struct LeftPairs {
  const std::uint32_t* data;
  std::int64_t row, step;
  std::int64_t inner, outer_count = 1, outer = 0;  // depth = inner * outer_count, in pairs
};

// c[R rows][V vectors] (+)= a b over the depth; b has `b_stride` pairs from one k to the next.
template <int R, int V>
HWY_INLINE void PairTile(const LeftPairs& a, const std::uint32_t* a_data, const std::uint32_t* b,
                         std::int64_t b_stride, float* c, std::int64_t c_stride, bool accumulate) {
  const std::int64_t lanes = Lanes();
  FloatVec sum[R][V];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      sum[r][v] = accumulate ? LoadVec(c + r * c_stride + v * lanes) : Zero();
    }
  }
  for (std::int64_t o = 0; o < a.outer_count; ++o) {
    const std::uint32_t* p = a_data + o * a.outer;
    for (std::int64_t k = 0; k < a.inner; ++k, p += a.step, b += b_stride) {
      PairVec right[V];
      for (int v = 0; v < V; ++v) right[v] = LoadPairs(b + v * lanes);
      for (int r = 0; r < R; ++r) {
        const PairVec left = hn::Set(PairTag(), p[r * a.row]);
        for (int v = 0; v < V; ++v) sum[r][v] = AddDot(sum[r][v], left, right[v]);
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) StoreVec(sum[r][v], c + r * c_stride + v * lanes);
  }
}

// Of R * V = 24 sums, two or four vectors of the right operand and one of the left, AVX-512's 32
// registers hold all.
inline constexpr std::int64_t kPairSums = 24;

// c[rows][V vectors] (+)= a b
template <int V>
void PairPanelProduct(std::int64_t rows, const LeftPairs& a, const std::uint32_t* b,
                      std::int64_t b_stride, float* c, std::int64_t c_stride, bool accumulate) {
  constexpr int kRows = kPairSums / (V < 2 ? 2 : V);
  const std::uint32_t* data = a.data;
  const auto take = [&]<int R>(std::integral_constant<int, R>) {
    PairTile<R, V>(a, data, b, b_stride, c, c_stride, accumulate);
    data += R * a.row;
    c += R * c_stride;
    rows -= R;
  };
  while (rows >= kRows) take(std::integral_constant<int, kRows>());
  if (kRows > 4) {
    while (rows >= 4) take(std::integral_constant<int, 4>());
  }
  while (rows >= 1) take(std::integral_constant<int, 1>());
}

// c[rows][columns] += a b, columns a multiple of the lanes.
inline void WidePairProduct(std::int64_t rows, std::int64_t columns, const LeftPairs& a,
                            const std::uint32_t* b, std::int64_t b_stride, float* c,
                            std::int64_t c_stride) {
  const std::int64_t lanes = Lanes();
  std::int64_t j = 0;
  for (; j + 4 * lanes <= columns; j += 4 * lanes) {
    PairPanelProduct<4>(rows, a, b + j, b_stride, c + j, c_stride, true);
  }
  for (; j + 2 * lanes <= columns; j += 2 * lanes) {
    PairPanelProduct<2>(rows, a, b + j, b_stride, c + j, c_stride, true);
  }
  if (j < columns) PairPanelProduct<1>(rows, a, b + j, b_stride, c + j, c_stride, true);
}

// to[row][pair] = neighbours within a row; a last one without a neighbour has 0.
inline void PairRows(const bfloat16* from, std::int64_t stride, std::int64_t rows,
                     std::int64_t width, std::uint32_t* to) {
  const std::int64_t pairs = (width + 1) / 2;
  for (std::int64_t r = 0; r < rows; ++r, from += stride, to += pairs) {
    to[pairs - 1] = 0;
    std::memcpy(to, from, static_cast<std::size_t>(width) * sizeof(bfloat16));
  }
}

// to[0..width) = pairs of two rows, the second perhaps not there; zeros up to `to_width`.
inline void PairTwoRows(const bfloat16* first, const bfloat16* second, std::int64_t width,
                        std::uint32_t* to, std::int64_t to_width) {
  const auto bits = [](const bfloat16* p) HWY_ATTR {
    return hn::PromoteTo(PairTag(),
                         hn::LoadU(HalfBitsTag(), reinterpret_cast<const std::uint16_t*>(p)));
  };
  std::int64_t c = 0;
  for (; c + Lanes() <= width; c += Lanes()) {
    PairVec pairs = bits(first + c);
    if (second != nullptr) pairs = hn::Or(pairs, hn::ShiftLeft<16>(bits(second + c)));
    StorePairs(pairs, to + c);
  }
  for (; c < width; ++c) {
    const bfloat16 pair[2] = {first[c], second == nullptr ? bfloat16(0.0f) : second[c]};
    std::memcpy(to + c, pair, sizeof(pair));
  }
  std::fill(to + width, to + to_width, 0u);
}

// to[t][c] = tokens t and t + half, half of all rounded up: of the depth, any two may be a pair.
inline void PairHalves(const bfloat16* from, std::int64_t stride, std::int64_t tokens,
                       std::int64_t width, std::uint32_t* to) {
  const std::int64_t half = (tokens + 1) / 2;
  for (std::int64_t t = 0; t < half; ++t) {
    const bfloat16* second = t + half < tokens ? from + (t + half) * stride : nullptr;
    PairTwoRows(from + t * stride, second, width, to + t * width, width);
  }
}

// to[t / 2][c] = tokens t and t + 1, zeros to `to_width` and to `padded` tokens.
inline void PairNeighbours(const bfloat16* from, std::int64_t stride, std::int64_t tokens,
                           std::int64_t padded, std::int64_t width, std::uint32_t* to,
                           std::int64_t to_width) {
  std::int64_t t = 0;
  for (; t < tokens; t += 2, to += to_width) {
    const bfloat16* second = t + 1 < tokens ? from + (t + 1) * stride : nullptr;
    PairTwoRows(from + t * stride, second, width, to, to_width);
  }
  for (; t < padded; t += 2, to += to_width) std::fill(to, to + to_width, 0u);
}

// to[pair][w] = rows[w][pair] for `count` of `panel` rows, then zeros; moves bits only.
inline void PairPanel(const bfloat16* rows, std::int64_t stride, std::int64_t count,
                      std::int64_t panel, std::int64_t width, std::uint32_t* to) {
  const auto quad = [](const bfloat16* p) HWY_ATTR {
    return hn::LoadU(QuadTag(), reinterpret_cast<const float*>(p));
  };
  const std::int64_t pairs = (width + 1) / 2, fours = width / 8 * 4;
  std::int64_t w = 0;
  for (; w + 4 <= count; w += 4) {
    for (std::int64_t k = 0; k < fours; k += 4) {
      QuadVec q[4];
      for (int i = 0; i < 4; ++i) q[i] = quad(rows + (w + i) * stride + 2 * k);
      Transpose(q);
      for (int i = 0; i < 4; ++i) {
        hn::StoreU(q[i], QuadTag(), reinterpret_cast<float*>(to + (k + i) * panel + w));
      }
    }
  }
  const auto put = [&](std::int64_t row, std::int64_t k) {
    const bfloat16* from = rows + row * stride + 2 * k;
    const bfloat16 pair[2] = {from[0], 2 * k + 1 < width ? from[1] : bfloat16(0.0f)};
    std::memcpy(to + k * panel + row, pair, sizeof(pair));
  };
  for (std::int64_t k = fours; k < pairs; ++k) {
    for (std::int64_t i = 0; i < w; ++i) put(i, k);
  }
  for (std::int64_t k = 0; k < pairs; ++k) {
    for (std::int64_t i = w; i < count; ++i) put(i, k);
    std::fill(to + k * panel + count, to + (k + 1) * panel, 0u);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();
#endif

#endif
