#include "model/training/group_buffers.h"

#include "core/base/error.h"

namespace edt {

std::array<std::int64_t, 2> group_sizes(std::int64_t tokens, double share) {
  const auto first = static_cast<std::int64_t>(static_cast<double>(tokens) * share);
  return {first, tokens - first};
}

GroupBuffers::GroupBuffers(const TokenGrid& grid, double share, InputBuffers& inputs,
                           std::int64_t batch)
    : grid_(grid), sizes_(group_sizes(grid.tokens(), share)), inputs_(inputs) {
  require<UsageError>(sizes_[0] > 0 && sizes_[1] > 0, "objective",
                      "train.dual-time is {}: of {} tokens the groups have {} and {}", share,
                      grid.tokens(), sizes_[0], sizes_[1]);
  for (std::size_t g = 0; g < sizes_.size(); ++g) {
    in_[g] = {inputs.add({batch, sizes_[g]}, DType::kInt32),
              inputs.add({batch, grid.tokens()}, DType::kInt32)};
  }
}

// What one group keeps the other has not.
void GroupBuffers::draw(StepKey key, std::span<const std::int32_t> positions) {
  const MaskSpec spec{"groups", grid_.tokens(), 0, 0};
  draw_visible_tokens(key, spec, positions, sizes_[0], inputs_.host<std::int32_t>(in_[0].ids),
                      inputs_.host<std::int32_t>(in_[0].places));
  const auto first = inputs_.host<std::int32_t>(in_[0].places);
  const auto ids = inputs_.host<std::int32_t>(in_[1].ids);
  const auto places = inputs_.host<std::int32_t>(in_[1].places);
  const auto tokens = static_cast<std::size_t>(grid_.tokens());
  const auto size = static_cast<std::size_t>(sizes_[1]);
  for (std::size_t b = 0; b < positions.size(); ++b) {
    std::int32_t next = 0;
    for (std::size_t t = 0; t < tokens; ++t) {
      const bool is_here = first[b * tokens + t] < 0;
      places[b * tokens + t] = is_here ? next : -1;
      if (is_here) ids[b * size + static_cast<std::size_t>(next++)] = static_cast<std::int32_t>(t);
    }
  }
  groups_.clear();
  for (const Inputs& one : in_) {
    groups_.push_back({inputs_.tensor(one.ids), inputs_.tensor(one.places), grid_});
  }
}

}  // namespace edt
