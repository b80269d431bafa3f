#include "model/training/draws.h"

#include <algorithm>
#include <numeric>

namespace edt {
namespace {

random::StreamKey stream(StepKey key, random::Purpose purpose, std::size_t sample) {
  return {key.seed, purpose, key.step, static_cast<std::uint32_t>(sample)};
}

}  // namespace

bool is_dropped(StepKey key, random::Purpose purpose, std::int32_t position, float rate) {
  return random::uniform(stream(key, purpose, static_cast<std::size_t>(position))) < rate;
}

void drop_labels(StepKey key, random::Purpose purpose, std::span<const std::int32_t> positions,
                 float rate, std::int32_t classes, std::span<std::int32_t> labels) {
  for (std::size_t b = 0; b < labels.size(); ++b) {
    if (is_dropped(key, purpose, positions[b], rate)) labels[b] = classes;
  }
}

float mask_ratio(StepKey key, const std::vector<MaskSpec>& masks, std::size_t index) {
  const float u = random::uniform(stream(key, random::Purpose::kMaskRatio, index));
  return masks[index].low + u * (masks[index].high - masks[index].low);
}

void draw_masks(StepKey key, const std::vector<MaskSpec>& masks,
                std::span<const std::int32_t> positions, std::span<const std::span<float>> keep) {
  EDT_ASSERT(keep.size() == masks.size());
  std::uint32_t drawn = 0;  // masks of one sample follow each other in its stream
  for (std::size_t m = 0; m < masks.size(); ++m) {
    const auto tokens = static_cast<std::size_t>(masks[m].tokens);
    const float ratio = mask_ratio(key, masks, m);
    for (std::size_t b = 0; b < positions.size(); ++b) {
      const std::span<float> row = keep[m].subspan(b * tokens, tokens);
      random::fill_uniform(
          stream(key, random::Purpose::kMaskTokens, static_cast<std::size_t>(positions[b])), row,
          drawn);
      for (float& u : row) u = u >= ratio ? 1.f : 0.f;
    }
    drawn += static_cast<std::uint32_t>(tokens);
  }
}

void draw_visible_tokens(StepKey key, const MaskSpec& spec, std::span<const std::int32_t> positions,
                         std::int64_t visible, std::span<std::int32_t> ids,
                         std::span<std::int32_t> places) {
  const auto tokens = static_cast<std::size_t>(spec.tokens),
             count = static_cast<std::size_t>(visible);
  std::vector<float> noise(tokens);
  std::vector<std::int32_t> order(tokens);
  for (std::size_t b = 0; b < positions.size(); ++b) {
    random::fill_uniform(
        stream(key, random::Purpose::kMaskTokens, static_cast<std::size_t>(positions[b])), noise);
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, {}, [&](auto i) { return noise[static_cast<std::size_t>(i)]; });
    std::sort(order.begin(), order.begin() + visible);
    std::ranges::copy(std::span(order).first(count), ids.subspan(b * count, count).begin());
    const auto places_of_sample = places.subspan(b * tokens, tokens);
    std::ranges::fill(places_of_sample, -1);
    for (std::size_t k = 0; k < count; ++k) {
      places_of_sample[static_cast<std::size_t>(order[k])] = static_cast<std::int32_t>(k);
    }
  }
}

}  // namespace edt
