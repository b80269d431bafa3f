#include "core/random/stream.h"

#include <algorithm>

#include "core/base/assert.h"
#include "core/random/logistic.h"
#include "core/random/normal.h"

namespace edt::random {

void fill_uniform(const StreamKey& key, std::span<float> out, std::uint32_t first) {
  EDT_ASSERT(first % 4 == 0);
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const Counter words = block(key, first / 4 + static_cast<std::uint32_t>(i / 4));
    for (std::size_t j = i; j < std::min(i + 4, out.size()); ++j) out[j] = to_uniform(words[j - i]);
  }
}

void fill_normal(const StreamKey& key, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const Counter words = block(key, static_cast<std::uint32_t>(i / 4));
    const std::array<float, 4> values = normals_of(words);
    for (std::size_t j = i; j < std::min(i + 4, out.size()); ++j) out[j] = values[j - i];
  }
}

void fill_logistic(const StreamKey& key, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const Counter words = block(key, static_cast<std::uint32_t>(i / 4));
    for (std::size_t j = i; j < std::min(i + 4, out.size()); ++j) {
      out[j] = logistic_of(words[j - i]);
    }
  }
}

float uniform(const StreamKey& key) { return to_uniform(block(key, 0)[0]); }

}  // namespace edt::random
