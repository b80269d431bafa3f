// Elements as files store them, in this machine's order of bytes and at any address, as numbers.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>

#include "core/base/dtype.h"
#include "core/storage/half.h"

namespace edt {

// raw.size() == out.size() * sizeof(Stored), as below.
template <class Stored, class Out>
void convert_elements(std::span<const std::byte> raw, std::span<Out> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    Stored value;
    std::memcpy(&value, raw.data() + i * sizeof(Stored), sizeof(Stored));
    if constexpr (std::is_same_v<Stored, bfloat16>) {
      out[i] = static_cast<float>(value);
    } else {
      out[i] = static_cast<Out>(value);
    }
  }
}

// Of float16; many at once where the numbers are floats.
template <class Out>
void convert_halves(std::span<const std::byte> raw, std::span<Out> out) {
  if constexpr (std::is_same_v<Out, float>) {
    half_to_float({reinterpret_cast<const half_bits*>(raw.data()), out.size()}, out);
  } else {
    for (std::size_t i = 0; i < out.size(); ++i) {
      half_bits value;
      std::memcpy(&value, raw.data() + i * sizeof(value), sizeof(value));
      out[i] = half_to_float(value);
    }
  }
}

}  // namespace edt
