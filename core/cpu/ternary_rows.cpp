#include "core/cpu/ternary_rows.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/ternary_rows.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

using DigitTag = hn::CappedTag<float, 16>;
using WordTag = hn::RebindToSigned<DigitTag>;
using DigitVec = hn::Vec<DigitTag>;
constexpr std::int64_t kOutputs = 16;
constexpr int kVectors = static_cast<int>(kOutputs / hn::MaxLanes(DigitTag()));
constexpr int kRows = 6;  // whose sums stay in registers, where a vector has 8 numbers or more

// Bits 2J and 2J + 1 of each word, as a signed number.
template <int J>
HWY_INLINE DigitVec Digits(hn::Vec<WordTag> words) {
  return hn::ConvertTo(DigitTag(), hn::ShiftRight<30>(hn::ShiftLeft<30 - 2 * J>(words)));
}

template <int R, int J>
HWY_INLINE void AddInputs(const float* x, std::int64_t stride, const hn::Vec<WordTag>* words,
                          DigitVec (*sums)[kVectors]) {
  if constexpr (J < 16) {
    DigitVec digits[kVectors];
    for (int v = 0; v < kVectors; ++v) digits[v] = Digits<J>(words[v]);
    for (int r = 0; r < R; ++r) {
      const DigitVec value = hn::Set(DigitTag(), x[r * stride + J]);
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(value, digits[v], sums[r][v]);
    }
    AddInputs<R, J + 1>(x, stride, words, sums);
  }
}

template <int R>
void Products(const float* x, const std::uint32_t* words, std::int64_t groups, float* result) {
  const DigitTag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t stride = groups * kOutputs;
  DigitVec sums[R][kVectors];
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::Zero(d);
  }
  for (std::int64_t g = 0; g < groups; ++g) {
    const auto* from = reinterpret_cast<const std::int32_t*>(words + g * kOutputs);
    hn::Vec<WordTag> group[kVectors];
    for (int v = 0; v < kVectors; ++v) group[v] = hn::LoadU(WordTag(), from + v * lanes);
    AddInputs<R, 0>(x + g * kOutputs, stride, group, sums);
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      hn::StoreU(sums[r][v], d, result + r * kOutputs + v * lanes);
    }
  }
}

void TernaryProducts(const float* x, std::int64_t rows, const std::uint32_t* words,
                     std::int64_t groups, float* sums) {
  using Form = void (*)(const float*, const std::uint32_t*, std::int64_t, float*);
  static constexpr Form kForms[kRows]{Products<1>, Products<2>, Products<3>,
                                      Products<4>, Products<5>, Products<6>};
  for (std::int64_t r = 0; r < rows; r += kRows) {
    const std::int64_t count = std::min<std::int64_t>(kRows, rows - r);
    kForms[count - 1](x + r * groups * kOutputs, words, groups, sums + r * kOutputs);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {

HWY_EXPORT(TernaryProducts);

void ternary_products(const float* x, std::int64_t rows, const std::uint32_t* words,
                      std::int64_t groups, float* sums) {
  HWY_DYNAMIC_DISPATCH(TernaryProducts)(x, rows, words, groups, sums);
}

}  // namespace edt
#endif
