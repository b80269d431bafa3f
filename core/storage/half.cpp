#include "core/storage/half.h"

#include <algorithm>
#include <bit>

#include "core/base/assert.h"

// Highway compiles this file once per instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/storage/half.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace edt::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Converts whole cache lines and returns how many values that were: none on targets whose
// conversion of infinity and NaN is not exact. `finite` becomes false where one of them is infinite
// or NaN. `next`: what is converted after this, of the same size, or nullptr.
std::size_t convert_lines(const half_bits* in, float* out, std::size_t size, const half_bits* next,
                          bool& finite) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON || \
    HWY_TARGET == HWY_SVE
  const hn::ScalableTag<float> wide;
  const hn::Rebind<hwy::float16_t, decltype(wide)> narrow;
  const hn::RebindToUnsigned<decltype(narrow)> bits;
  constexpr std::size_t kLine = 64 / sizeof(half_bits);
  const auto exponent = hn::Set(bits, 0x7c00);
  const std::size_t lanes = std::min(hn::Lanes(wide), kLine);
  auto largest = hn::Zero(bits);  // exponents: the largest is all ones where a value is not finite
  std::size_t line = 0;
  for (; line + kLine <= size; line += kLine) {
    // Read once, so past the caches; asked for much earlier, it would be pushed out again by then.
    constexpr std::size_t kAhead = 1024 / sizeof(half_bits);
    if (line + kAhead < size) {
      __builtin_prefetch(in + line + kAhead, 0, 0);
    } else if (next != nullptr && kAhead <= size) {
      __builtin_prefetch(next + line + kAhead - size, 0, 0);
    }
    for (std::size_t i = line; i < line + kLine; i += lanes) {
      const auto raw = hn::LoadU(bits, in + i);
      largest = hn::Max(largest, hn::And(raw, exponent));
      hn::StoreU(hn::PromoteTo(wide, hn::BitCast(narrow, raw)), wide, out + i);
    }
  }
  finite = finite && hn::AllTrue(bits, hn::Lt(largest, exponent));
  return line;
#else
  (void)in, (void)out, (void)size, (void)next, (void)finite;
  return 0;
#endif
}

}  // namespace edt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {

HWY_EXPORT(convert_lines);

float half_to_float(half_bits value) {
  const std::uint32_t sign = std::uint32_t{value & 0x8000u} << 16;
  const std::uint32_t exponent = (value >> 10) & 0x1fu;
  const std::uint32_t mantissa = value & 0x3ffu;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24, exact in float32
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

half_bits float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;   // NaN
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;  // 65520 and above round to infinity
  if (magnitude < 0x38800000u) {                        // below 2^-14: subnormal in half
    // Adding 0.5 leaves the rounded multiple of 2^-24 in the low bits.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<half_bits>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u));
  }
  const std::uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return static_cast<half_bits>(sign | (rounded - 0x38000000u) >> 13);
}

bool half_to_float(std::span<const half_bits> in, std::span<float> out,
                   std::span<const half_bits> next) {
  EDT_ASSERT(in.size() == out.size() && (next.empty() || next.size() == in.size()));
  constexpr half_bits kExponent = 0x7c00;
  bool finite = true;
  std::size_t i = HWY_DYNAMIC_DISPATCH(convert_lines)(in.data(), out.data(), in.size(),
                                                      next.empty() ? nullptr : next.data(), finite);
  for (; i < in.size(); ++i) {
    finite = finite && (in[i] & kExponent) != kExponent;
    out[i] = half_to_float(in[i]);
  }
  return finite;
}

void float_to_half(std::span<const float> in, std::span<half_bits> out) {
  EDT_ASSERT(in.size() == out.size());
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = float_to_half(in[i]);
}

bool all_finite(std::span<const float> values) {
  constexpr std::uint32_t kExponent = 0x7f800000u;
  std::uint32_t bad = 0;
  for (float value : values) bad |= (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent;
  return bad == 0;
}

}  // namespace edt
#endif
