#include "core/storage/half.h"

#include <bit>

#include "core/base/assert.h"

namespace edt {

// Free of branches, so that compilers turn the loop over it into vector code on every target.
float half_to_float(half_bits value) {
  const std::uint32_t sign = std::uint32_t{value & 0x8000u} << 16;
  const std::uint32_t magnitude = value & 0x7fffu;
  const std::uint32_t normal = (magnitude << 13) + 0x38000000u;  // exponent bias 15 to 127
  const std::uint32_t special = normal + 0x38000000u;            // infinity and NaN
  // Zero or subnormal: mantissa * 2^-24, exact in float32.
  const auto subnormal = std::bit_cast<std::uint32_t>(
      static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24f);
  const std::uint32_t finite = magnitude < 0x0400u ? subnormal : normal;
  return std::bit_cast<float>(sign | (magnitude >= 0x7c00u ? special : finite));
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

void half_to_float(std::span<const half_bits> in, std::span<float> out) {
  EDT_ASSERT(in.size() == out.size());
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = half_to_float(in[i]);
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
