// Rearrangements of one head's tokens between tensors and the panels of attention.
#if defined(EDT_CORE_CPU_ATTENTION_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDT_CORE_CPU_ATTENTION_PACK_INL_H_
#undef EDT_CORE_CPU_ATTENTION_PACK_INL_H_
#else
#define EDT_CORE_CPU_ATTENTION_PACK_INL_H_
#endif

#include "core/cpu/attention_plan.h"
#include "core/cpu/attention_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {

// to[row][0..width) = factor * from[row][0..width), then zeros to `to_stride`, which is a multiple
// of the lanes or the width itself; rows from `rows` to `padded_rows` are zero.
template <class T>
void PackRows(const T* from, std::int64_t stride, std::int64_t rows, std::int64_t padded_rows,
              std::int64_t width, float factor, float* to, std::int64_t to_stride) {
  for (std::int64_t r = 0; r < rows; ++r, from += stride, to += to_stride) {
    for (std::int64_t i = 0; i < width; i += Lanes()) {
      const FloatVec v = hn::Mul(Set(factor), LoadVec(from + i, width - i));
      StoreVec(v, to + i, to_stride - i);
    }
  }
  std::memset(to, 0, static_cast<std::size_t>((padded_rows - rows) * to_stride) * sizeof(float));
}

// Columns of from [tokens, width] in blocks of 6: to[c / 6][token][c % 6].
template <class T>
void PackColumns(const T* from, std::int64_t stride, std::int64_t tokens, std::int64_t width,
                 float* to) {
  const std::int64_t whole = width / kTileRows * kTileRows;
  for (std::int64_t t = 0; t < tokens; ++t, from += stride, to += kTileRows) {
    for (std::int64_t c = 0; c < whole; c += kTileRows) {
      for (std::int64_t i = 0; i < kTileRows; ++i) {
        to[c * tokens + i] = static_cast<float>(from[c + i]);
      }
    }
    for (std::int64_t c = whole; c < width; ++c) {
      to[whole * tokens + c - whole] = static_cast<float>(from[c]);
    }
  }
}

// to[token] (+)= factor * rows[token], rows of padded_size floats, tokens as they lie in qkv.
template <class T>
void PutRows(const float* rows, const AttentionPlan& p, T* to, bool accumulate, float factor = 1) {
  for (std::int64_t t = 0; t < p.tokens; ++t, rows += p.padded_size, to += p.qkv_stride()) {
    for (std::int64_t c = 0; c < p.size; c += Lanes()) {
      PutVec(hn::Mul(Set(factor), LoadVec(rows + c)), to + c, p.size - c, accumulate);
    }
  }
}

// to[padded] = lse [tokens]; padded queries have a probability next to nothing, and no gradient
// arrives.
inline void PadLse(const AttentionPlan& p, const float* lse, float* to) {
  std::copy_n(lse, p.tokens, to);
  std::fill(to + p.tokens, to + p.padded, 1e30f);
}

using QuadTag = hn::FixedTag<float, 4>;
using QuadVec = hn::Vec<QuadTag>;

HWY_INLINE QuadVec LoadQuad(const float* p) { return hn::LoadU(QuadTag(), p); }
HWY_INLINE QuadVec LoadQuad(const bfloat16* p) {
  HWY_ALIGN float four[4];
  for (int i = 0; i < 4; ++i) four[i] = static_cast<float>(p[i]);
  return hn::Load(QuadTag(), four);
}
HWY_INLINE void AddQuad(QuadVec v, float* p, bool accumulate) {
  if (accumulate) v = hn::Add(v, LoadQuad(p));
  hn::StoreU(v, QuadTag(), p);
}
HWY_INLINE void AddQuad(QuadVec v, bfloat16* p, bool accumulate) {
  HWY_ALIGN float four[4];
  hn::Store(accumulate ? hn::Add(v, LoadQuad(p)) : v, QuadTag(), four);
  for (int i = 0; i < 4; ++i) p[i] = bfloat16(four[i]);
}

// Rows of four become columns.
HWY_INLINE void Transpose(QuadVec* q) {
  const QuadTag d;
  const hn::Repartition<double, QuadTag> wide;
  const auto pair = [&](QuadVec a, QuadVec b) HWY_ATTR { return hn::InterleaveLower(d, a, b); };
  const auto upper = [&](QuadVec a, QuadVec b) HWY_ATTR { return hn::InterleaveUpper(d, a, b); };
  const auto low01 = hn::BitCast(wide, pair(q[0], q[1]));
  const auto low23 = hn::BitCast(wide, pair(q[2], q[3]));
  const auto high01 = hn::BitCast(wide, upper(q[0], q[1]));
  const auto high23 = hn::BitCast(wide, upper(q[2], q[3]));
  q[0] = hn::BitCast(d, hn::InterleaveLower(wide, low01, low23));
  q[1] = hn::BitCast(d, hn::InterleaveUpper(wide, low01, low23));
  q[2] = hn::BitCast(d, hn::InterleaveLower(wide, high01, high23));
  q[3] = hn::BitCast(d, hn::InterleaveUpper(wide, high01, high23));
}

// to[c][w] = factor * rows[w][c] for `count` of `panel` rows, then zeros.
template <class T>
void PackPanel(const T* rows, std::int64_t stride, std::int64_t count, std::int64_t panel,
               std::int64_t width, float factor, float* to) {
  const std::int64_t fours = width / 4 * 4;
  std::int64_t w = 0;
  for (; w + 4 <= count; w += 4) {
    for (std::int64_t c = 0; c < fours; c += 4) {
      QuadVec q[4];
      for (int i = 0; i < 4; ++i) {
        q[i] = hn::Mul(LoadQuad(rows + (w + i) * stride + c), hn::Set(QuadTag(), factor));
      }
      Transpose(q);
      for (int i = 0; i < 4; ++i) hn::StoreU(q[i], QuadTag(), to + (c + i) * panel + w);
    }
    for (std::int64_t c = fours; c < width; ++c) {
      for (std::int64_t i = w; i < w + 4; ++i) {
        to[c * panel + i] = factor * static_cast<float>(rows[i * stride + c]);
      }
    }
  }
  for (; w < panel; ++w) {
    for (std::int64_t c = 0; c < width; ++c) {
      to[c * panel + w] = w < count ? factor * static_cast<float>(rows[w * stride + c]) : 0.0f;
    }
  }
}

// to[w][c] (+)= factor * from[c][w] for the first `count` of `panel` rows.
template <class T>
void UnpackPanel(const float* from, std::int64_t panel, std::int64_t count, std::int64_t width,
                 float factor, T* to, std::int64_t stride, bool accumulate) {
  const std::int64_t fours = width / 4 * 4;
  const auto put = [&](std::int64_t w, std::int64_t c) {
    const float before = accumulate ? static_cast<float>(to[w * stride + c]) : 0.0f;
    to[w * stride + c] = T(before + factor * from[c * panel + w]);
  };
  std::int64_t w = 0;
  for (; w + 4 <= count; w += 4) {
    for (std::int64_t c = 0; c < fours; c += 4) {
      QuadVec q[4];
      for (int i = 0; i < 4; ++i) {
        q[i] = hn::Mul(LoadQuad(from + (c + i) * panel + w), hn::Set(QuadTag(), factor));
      }
      Transpose(q);
      for (int i = 0; i < 4; ++i) AddQuad(q[i], to + (w + i) * stride + c, accumulate);
    }
    for (std::int64_t c = fours; c < width; ++c) {
      for (std::int64_t i = w; i < w + 4; ++i) put(i, c);
    }
  }
  for (; w < count; ++w) {
    for (std::int64_t c = 0; c < width; ++c) put(w, c);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#endif
