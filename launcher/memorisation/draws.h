// Noised samples that losses are taken at: which sample, how much noise and which noise follow from
// the seed and the number of the draw alone.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "model/diffusion/process.h"

namespace edt {

struct DrawOptions {
  int levels = 8;                // of noise: the middles of as many equal parts of the process
  std::int64_t per_level = 256;  // draws
  std::uint64_t seed = 0;
};

// The middle of each part, that of a step for a discrete process.
std::vector<double> noise_levels(const Process& process, int levels);

struct Draw {
  std::size_t level = 0;
  data::SampleRef sample;
};

// Level by level; samples uniform over `trained`, their places in the data set, with their mirror
// images where these are `flipped` at half of the time.
std::vector<Draw> make_draws(const DrawOptions& options, const std::vector<std::uint64_t>& trained,
                             bool flipped);

// Draws first, first + 1, ... as a network is shown them.
struct NoisedDraws {
  std::vector<float> x_0, noise, x_t;  // [count, width]
  std::vector<double> t;
  std::vector<std::int32_t> labels;
};
NoisedDraws noised(const std::vector<Draw>& draws, std::size_t first, std::size_t count,
                   const std::vector<double>& levels, const Process& process,
                   const data::Dataset& dataset, std::uint64_t seed);

}  // namespace edt
