// Vector building blocks of the kernels: float32 registers over float32 or bf16 memory, with tails,
// and exp / sigmoid. Included once per Highway target.
#if defined(EDT_CORE_CPU_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDT_CORE_CPU_SIMD_INL_H_
#undef EDT_CORE_CPU_SIMD_INL_H_
#else
#define EDT_CORE_CPU_SIMD_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

#include "core/base/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using FloatVec = hn::Vec<FloatTag>;
using BitsTag = hn::RebindToUnsigned<FloatTag>;
using HalfBitsTag = hn::Rebind<std::uint16_t, FloatTag>;

HWY_INLINE std::int64_t Lanes() { return static_cast<std::int64_t>(hn::Lanes(FloatTag())); }
HWY_INLINE FloatVec Zero() { return hn::Zero(FloatTag()); }
HWY_INLINE FloatVec Set(float value) { return hn::Set(FloatTag(), value); }

HWY_INLINE FloatVec LoadVec(const float* p) { return hn::LoadU(FloatTag(), p); }
HWY_INLINE void StoreVec(FloatVec v, float* p) { hn::StoreU(v, FloatTag(), p); }

HWY_INLINE FloatVec LoadVec(const bfloat16* p) {
  const auto half = hn::LoadU(HalfBitsTag(), reinterpret_cast<const std::uint16_t*>(p));
  return hn::BitCast(FloatTag(), hn::ShiftLeft<16>(hn::PromoteTo(BitsTag(), half)));
}

// Rounds to nearest even and keeps NaN, as bfloat16(float) does.
HWY_INLINE void StoreVec(FloatVec v, bfloat16* p) {
  const BitsTag d;
  const auto bits = hn::BitCast(d, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1u));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(d, 0x7fffu)));
  const auto quiet = hn::Or(bits, hn::Set(d, 0x400000u));
  const auto is_nan = hn::RebindMask(d, hn::IsNaN(v));
  const auto high = hn::ShiftRight<16>(hn::IfThenElse(is_nan, quiet, rounded));
  hn::StoreU(hn::TruncateTo(HalfBitsTag(), high), HalfBitsTag(),
             reinterpret_cast<std::uint16_t*>(p));
}

// Of n values, n >= 0: the compiler believes it, and does not warn of copies of negative size.
template <class T>
HWY_INLINE std::size_t BytesOf(std::int64_t n) {
  if (n < 0) __builtin_unreachable();
  return static_cast<std::size_t>(n) * sizeof(T);
}

// The first n lanes, the others zero. n >= Lanes() is the common case.
template <class T>
HWY_INLINE FloatVec LoadVec(const T* p, std::int64_t n) {
  if (HWY_LIKELY(n >= Lanes())) return LoadVec(p);
  HWY_ALIGN T buffer[hn::MaxLanes(FloatTag())] = {};
  std::memcpy(static_cast<void*>(buffer), p, BytesOf<T>(n));
  return LoadVec(buffer);
}

template <class T>
HWY_INLINE void StoreVec(FloatVec v, T* p, std::int64_t n) {
  if (HWY_LIKELY(n >= Lanes())) return StoreVec(v, p);
  HWY_ALIGN T buffer[hn::MaxLanes(FloatTag())];
  StoreVec(v, buffer);
  std::memcpy(static_cast<void*>(p), buffer, BytesOf<T>(n));
}

// p[0..n) = v, or += v.
template <class T>
HWY_INLINE void PutVec(FloatVec v, T* p, std::int64_t n, bool accumulate) {
  if (accumulate) v = hn::Add(v, LoadVec(p, n));
  StoreVec(v, p, n);
}

HWY_INLINE float Sum(FloatVec v) { return hn::GetLane(hn::SumOfLanes(FloatTag(), v)); }

// exp(x) = 2^n (1 + r + r^2 P(r)), |r| <= ln 2 / 2, P a minimax polynomial (relative error 3e-9
// before rounding: about 1 ulp in all). Arguments are clamped to [-87, 88]; NaN stays NaN.
HWY_INLINE FloatVec Exp(FloatVec x) {
  const FloatTag d;
  // The bounds come first: x86 min and max return their second operand when one is NaN.
  x = hn::Min(Set(88.0f), hn::Max(Set(-87.0f), x));
  // Adding 1.5 * 2^23 rounds to an integer n that is left in the low bits; 127 more is the bias of
  // the exponent field.
  const FloatVec magic = Set(12583039.0f);
  const FloatVec shifted = hn::MulAdd(x, Set(1.44269504f), magic);
  const FloatVec n = hn::Sub(shifted, magic);
  FloatVec r = hn::NegMulAdd(n, Set(0.693359375f), x);  // ln 2 in two parts
  r = hn::NegMulAdd(n, Set(-2.12194440e-4f), r);
  FloatVec p = hn::MulAdd(Set(0.00138146f), r, Set(0.00836872f));
  p = hn::MulAdd(p, r, Set(0.04166839f));
  p = hn::MulAdd(p, r, Set(0.16666521f));
  p = hn::MulAdd(p, r, Set(0.49999993f));
  p = hn::MulAdd(hn::Mul(r, r), p, r);
  const FloatVec two_n = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(BitsTag(), shifted)));
  return hn::MulAdd(p, two_n, two_n);
}

// 1 / (1 + exp(-x)), about 2 ulp.
HWY_INLINE FloatVec Sigmoid(FloatVec x) {
  return hn::Div(Set(1.0f), hn::Add(Set(1.0f), Exp(hn::Neg(x))));
}

}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#endif
