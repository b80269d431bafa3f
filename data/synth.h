// A data set of synthetic pictures, encoded by PatchTransform.
#pragma once

#include <cstdint>
#include <filesystem>

#include "data/progress.h"

namespace edt::data {

struct SynthOptions {
  std::filesystem::path out;
  std::uint64_t samples = 8192;
  int image_size = 128;  // pixels; the latents have an eighth of it
  int classes = 12;      // the first so many
  std::uint64_t seed = 0;
  bool flipped = false;  // store mirrored copies too
  std::uint64_t samples_per_shard = 4096;
};

// Continues an interrupted run with the same options. Sample i has label i mod classes.
void synthesize(const SynthOptions& options, const Progress& progress = {});

}  // namespace edt::data
