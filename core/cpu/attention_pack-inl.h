// Rearrangements of one head's tokens between tensors and the panels of attention.
#if defined(EDT_CORE_CPU_ATTENTION_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDT_CORE_CPU_ATTENTION_PACK_INL_H_
#undef EDT_CORE_CPU_ATTENTION_PACK_INL_H_
#else
#define EDT_CORE_CPU_ATTENTION_PACK_INL_H_
#endif

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

// rows [tokens, stride], columns in blocks of 6: to[c / 6][token][c % 6].
inline void PackColumns(const float* rows, std::int64_t stride, std::int64_t tokens,
                        std::int64_t width, float* to) {
  for (std::int64_t c = 0; c < width; c += kTileRows, to += kTileRows * tokens) {
    const float* from = rows + c;
    if (c + kTileRows <= width) {
      for (std::int64_t t = 0; t < tokens; ++t) {
        std::memcpy(to + t * kTileRows, from + t * stride, kTileRows * sizeof(float));
      }
    } else {
      for (std::int64_t t = 0; t < tokens; ++t) {
        for (std::int64_t i = 0; c + i < width; ++i) to[t * kTileRows + i] = from[t * stride + i];
      }
    }
  }
}

// to[c][w] = rows[w][c] for `panel` rows.
inline void PackPanel(const float* rows, std::int64_t stride, std::int64_t panel,
                      std::int64_t width, float* to) {
  for (std::int64_t w = 0; w < panel; ++w) {
    for (std::int64_t c = 0; c < width; ++c) to[c * panel + w] = rows[w * stride + c];
  }
}

// to[w][c] (+)= panel[c][w] for the first `count` of `panel` rows.
template <class T>
void UnpackPanel(const float* from, std::int64_t panel, std::int64_t count, std::int64_t width,
                 T* to, std::int64_t stride, bool accumulate) {
  for (std::int64_t w = 0; w < count; ++w) {
    T* row = to + w * stride;
    for (std::int64_t c = 0; c < width; ++c) {
      const float before = accumulate ? static_cast<float>(row[c]) : 0.0f;
      row[c] = T(before + from[c * panel + w]);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#endif
