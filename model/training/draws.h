// What a training step draws besides noise. Everything is a function of seed, step and the sample's
// position in the global batch, so it does not depend on ranks, micro-batches or threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random/stream.h"
#include "model/model.h"

namespace edt {

struct StepKey {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
};

// Whether what a sample is conditioned on is dropped, with probability `rate`. `purpose` tells the
// two passes apart. One draw: with equal rates label and text are dropped together.
bool is_dropped(StepKey key, random::Purpose purpose, std::int32_t position, float rate);

// Replaces each label by `classes` (no class) where it is dropped.
void drop_labels(StepKey key, random::Purpose purpose, std::span<const std::int32_t> positions,
                 float rate, std::int32_t classes, std::span<std::int32_t> labels);

// The ratio of mask `index` in this step: uniform in [low, high).
float mask_ratio(StepKey key, const std::vector<MaskSpec>& masks, std::size_t index);

// Token masks of the samples at `positions`: keep[i] receives masks[i] as [B, tokens], 1 keeps.
void draw_masks(StepKey key, const std::vector<MaskSpec>& masks,
                std::span<const std::int32_t> positions, std::span<const std::span<float>> keep);

// The tokens that the samples at `positions` keep: ids [B, visible] in the order of the grid, and
// places [B, tokens], where each token is among the visible ones, or -1. A sample keeps the tokens
// with the smallest of its random numbers.
void draw_visible_tokens(StepKey key, const MaskSpec& spec, std::span<const std::int32_t> positions,
                         std::int64_t visible, std::span<std::int32_t> ids,
                         std::span<std::int32_t> places);

}  // namespace edt
