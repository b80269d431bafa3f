// The groups of tokens of a micro-batch among its inputs, drawn anew for each: those of one group
// see each other, and no others.
#pragma once

#include <array>
#include <vector>

#include "model/training/draws.h"
#include "model/training/input_buffers.h"

namespace edt {

// Tokens of each of two groups of which the first has `share` of them, rounded down.
std::array<std::int64_t, 2> group_sizes(std::int64_t tokens, double share);

class GroupBuffers {
 public:
  // For micro-batches of `batch` samples of this grid. UsageError where a group would be empty.
  GroupBuffers(const TokenGrid& grid, double share, InputBuffers& inputs, std::int64_t batch);

  // Fills the inputs with the groups of the samples at `positions`: the first has the tokens with
  // the smallest of the sample's random numbers.
  void draw(StepKey key, std::span<const std::int32_t> positions);
  // Of the tokens of a picture, those of a group.
  double share(std::size_t group) const {
    return static_cast<double>(sizes_[group]) / static_cast<double>(grid_.tokens());
  }
  // Of the last draw, on the device.
  std::span<const VisibleTokens> groups() const { return groups_; }

 private:
  struct Inputs {
    std::size_t ids, places;
  };

  TokenGrid grid_;
  std::array<std::int64_t, 2> sizes_;
  InputBuffers& inputs_;
  std::array<Inputs, 2> in_;
  std::vector<VisibleTokens> groups_;
};

}  // namespace edt
