// One channel of a colour as a byte.
#pragma once

#include <algorithm>
#include <cstdint>

namespace edt {

// Rounds, and cuts at 0 and 255. NaN becomes 0.
inline std::uint8_t to_byte(float value) {
  return value > 0.f ? static_cast<std::uint8_t>(std::min(value, 255.f) + 0.5f) : std::uint8_t{0};
}

}  // namespace edt
