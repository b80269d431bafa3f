#include "parallel/comm/wire.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "core/base/assert.h"
#include "core/base/dtype.h"

namespace edt {
namespace {

constexpr float kLargest = 127;

std::size_t blocks_of(std::size_t numbers) { return (numbers + kInt8Block - 1) / kInt8Block; }

// Largest magnitude; infinite or NaN where a number is.
float scale_of(std::span<const float> block) {
  float largest = 0, sum = 0;
  for (const float value : block) {
    largest = std::max(largest, std::abs(value));
    sum += value * 0;  // NaN where one is not finite
  }
  return largest + sum;
}

// What numbers of a block are multiplied with. 0 where the largest is zero, next to it, or not
// finite: then zeros travel, which a receiver multiplies with the scale.
float factor_of(float scale) {
  const float factor = kLargest / scale;
  return std::isfinite(factor) ? factor : 0;
}

// Rounds to even, without a branch: the last bits of a sum with 1.5 x 2^23 are the integer.
std::int8_t to_int8(float value, float factor) {
  constexpr float kShift = 12582912;
  const float scaled = factor > 0 ? value * factor : 0;
  return static_cast<std::int8_t>(std::bit_cast<std::int32_t>(scaled + kShift) -
                                  std::bit_cast<std::int32_t>(kShift));
}

// The largest comes back as it was: 127/127 is 1.
float from_int8(std::int8_t number, float scale) {
  return scale * (static_cast<float>(number) / kLargest);
}

template <class Body>
void for_each_block(std::size_t numbers, const Body& body) {
  for (std::size_t b = 0; b < blocks_of(numbers); ++b) {
    const std::size_t begin = b * kInt8Block;
    body(b, begin, std::min(kInt8Block, numbers - begin));
  }
}

void encode_int8(std::span<const float> values, std::byte* bytes) {
  auto* const scales = reinterpret_cast<float*>(bytes);
  auto* const numbers = reinterpret_cast<std::int8_t*>(scales + blocks_of(values.size()));
  for_each_block(values.size(), [&](std::size_t b, std::size_t begin, std::size_t count) {
    scales[b] = scale_of(values.subspan(begin, count));
    const float factor = factor_of(scales[b]);
    for (std::size_t i = begin; i < begin + count; ++i) numbers[i] = to_int8(values[i], factor);
  });
}

template <class Put>
void decode_int8(const std::byte* bytes, std::size_t count, const Put& put) {
  const auto* const scales = reinterpret_cast<const float*>(bytes);
  const auto* const numbers = reinterpret_cast<const std::int8_t*>(scales + blocks_of(count));
  for_each_block(count, [&](std::size_t b, std::size_t begin, std::size_t in_block) {
    for (std::size_t i = begin; i < begin + in_block; ++i) put(i, from_int8(numbers[i], scales[b]));
  });
}

}  // namespace

std::size_t wire_bytes(Wire wire, std::size_t memory) {
  const std::size_t numbers = memory / sizeof(float);
  switch (wire) {
    case Wire::kExact:
      break;
    case Wire::kBFloat16:
    case Wire::kBFloat16Once:
      return numbers * sizeof(bfloat16);
    case Wire::kInt8:
      return numbers + blocks_of(numbers) * sizeof(float);
  }
  return memory;
}

double wire_share(Wire wire) {
  constexpr std::size_t kBlock = kInt8Block * sizeof(float);
  return static_cast<double>(wire_bytes(wire, kBlock)) / kBlock;
}

void encode(Wire wire, std::span<const float> values, std::span<std::byte> bytes) {
  EDT_ASSERT(wire != Wire::kExact && bytes.size() == wire_bytes(wire, values.size_bytes()));
  if (wire == Wire::kInt8) return encode_int8(values, bytes.data());
  auto* const rounded = reinterpret_cast<bfloat16*>(bytes.data());
  for (std::size_t i = 0; i < values.size(); ++i) rounded[i] = bfloat16(values[i]);
}

void decode_onto(Wire wire, std::span<const std::byte> bytes, std::span<float> sum) {
  EDT_ASSERT(wire != Wire::kExact && bytes.size() == wire_bytes(wire, sum.size_bytes()));
  if (wire == Wire::kInt8) {
    return decode_int8(bytes.data(), sum.size(),
                       [&](std::size_t i, float value) { sum[i] += value; });
  }
  const auto* const rounded = reinterpret_cast<const bfloat16*>(bytes.data());
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<float>(rounded[i]);
}

void round_as(Wire wire, std::span<float> values) {
  if (wire == Wire::kExact) return;
  if (wire != Wire::kInt8) {
    for (float& value : values) value = static_cast<float>(bfloat16(value));
    return;
  }
  for_each_block(values.size(), [&](std::size_t, std::size_t begin, std::size_t count) {
    const std::span<float> block = values.subspan(begin, count);
    const float scale = scale_of(block), factor = factor_of(scale);
    for (float& value : block) value = from_int8(to_int8(value, factor), scale);
  });
}

}  // namespace edt
