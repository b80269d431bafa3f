// IEEE binary16 to float32 and back, and the check for finite values.
#pragma once

#include <cstdint>
#include <span>

namespace edt {

// A float16 in memory: its bits.
using half_bits = std::uint16_t;

// Rounds to nearest even; beyond 65504 becomes infinity.
half_bits float_to_half(float value);
float half_to_float(half_bits value);

// out.size() == in.size(). The first says whether all values are finite; `next`, as long as `in` or
// empty, will be converted next and is brought nearer meanwhile.
bool half_to_float(std::span<const half_bits> in, std::span<float> out,
                   std::span<const half_bits> next = {});
void float_to_half(std::span<const float> in, std::span<half_bits> out);

bool all_finite(std::span<const float> values);

}  // namespace edt
