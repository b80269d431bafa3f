#include "core/random/stream.h"

#include <cmath>
#include <numbers>

#include "core/base/assert.h"

namespace edt::random {

void fill_uniform(const StreamKey& key, std::span<float> out, std::uint32_t first) {
  EDT_ASSERT(first % 4 == 0);
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const Counter words = block(key, first / 4 + static_cast<std::uint32_t>(i / 4));
    for (std::size_t j = i; j < std::min(i + 4, out.size()); ++j) out[j] = to_uniform(words[j - i]);
  }
}

namespace {

// Two normals from two words. (word + 0.5) / 2^32 lies inside (0, 1), so the logarithm is finite.
std::array<float, 2> box_muller(std::uint32_t a, std::uint32_t b) {
  const double u = (a + 0.5) * 0x1p-32;
  const double radius = std::sqrt(-2.0 * std::log(u));
  const double angle = 2.0 * std::numbers::pi * ((b + 0.5) * 0x1p-32);
  return {static_cast<float>(radius * std::cos(angle)),
          static_cast<float>(radius * std::sin(angle))};
}

}  // namespace

void fill_normal(const StreamKey& key, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const Counter words = block(key, static_cast<std::uint32_t>(i / 4));
    const auto low = box_muller(words[0], words[1]);
    const auto high = box_muller(words[2], words[3]);
    const std::array<float, 4> values{low[0], low[1], high[0], high[1]};
    for (std::size_t j = i; j < std::min(i + 4, out.size()); ++j) out[j] = values[j - i];
  }
}

float uniform(const StreamKey& key) { return to_uniform(block(key, 0)[0]); }

}  // namespace edt::random
