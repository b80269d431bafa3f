// Mean and deviation per channel that come with latents, in a file of arrays.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace edt::data {

struct ChannelStatistics {
  std::vector<double> mean, deviation;
};

// Of arrays of as many numbers as there are channels, in any shape: `mean` and `std`, or REPA-E's
// `latents_bias` and `latents_scale`, of which the latter is 1 / deviation
// (End2End-Diffusion/REPA-E train_ldm_only.py). DataError naming the file and what is there.
ChannelStatistics read_statistics(const std::filesystem::path& path, std::uint64_t channels);

}  // namespace edt::data
