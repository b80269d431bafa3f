// Vectors of pairs of bf16 and AVX-512's dot products of them (vdpbf16ps), summed in float32.
// Highway has no target with these instructions: what uses them stands between
// HWY_PUSH_ATTRIBUTES(EDT_PAIRS_TARGET) and HWY_AFTER_NAMESPACE(), where HWY_TARGET is HWY_AVX3,
// and is called where onednn_has_native_bf16().
#if defined(EDT_CORE_CPU_PAIRS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDT_CORE_CPU_PAIRS_INL_H_
#undef EDT_CORE_CPU_PAIRS_INL_H_
#else
#define EDT_CORE_CPU_PAIRS_INL_H_
#endif

#include "core/cpu/simd-inl.h"

#if HWY_TARGET == HWY_AVX3
#undef EDT_PAIRS_TARGET
#define EDT_PAIRS_TARGET HWY_TARGET_STR ",avx512bf16"

HWY_PUSH_ATTRIBUTES(EDT_PAIRS_TARGET)
namespace edt {
namespace HWY_NAMESPACE {

using PairTag = BitsTag;  // two bf16 in each 32-bit lane, the first in the lower half
using PairVec = hn::Vec<PairTag>;

HWY_INLINE PairVec LoadPairs(const std::uint32_t* p) { return hn::LoadU(PairTag(), p); }
HWY_INLINE void StorePairs(PairVec v, std::uint32_t* p) { hn::StoreU(v, PairTag(), p); }

// Pairs of `first` and `second`, rounded to nearest even.
HWY_INLINE PairVec PairsOf(FloatVec first, FloatVec second) {
  const auto halves = _mm512_cvtne2ps_pbh(second.raw, first.raw);
  alignas(64) static constexpr std::uint16_t kOrder[32] = {
      0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i order = _mm512_load_si512(kOrder);
  return PairVec{_mm512_permutexvar_epi16(order, reinterpret_cast<__m512i>(halves))};
}

HWY_INLINE void StoreHalves(FloatVec v, bfloat16* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v.raw)));
}

HWY_INLINE FloatVec AddDot(FloatVec sum, PairVec a, PairVec b) {
  return FloatVec{_mm512_dpbf16_ps(sum.raw, reinterpret_cast<__m512bh>(a.raw),
                                   reinterpret_cast<__m512bh>(b.raw))};
}

}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();
#endif

#endif
