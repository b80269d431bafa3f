// Random draws keyed by (seed, purpose, step, sample). The same key gives the same numbers on every
// rank, backend and thread count; different keys give independent numbers.
#pragma once

#include <cstdint>
#include <span>

#include "core/random/philox.h"

namespace edt::random {

// What the numbers are for. Values are part of the checkpoint format: append, never renumber.
enum class Purpose : std::uint32_t {
  kInit = 0,         // initial weights; sample = tensor index
  kNoise = 1,        // diffusion noise of the full pass
  kNoiseMasked = 2,  // diffusion noise of the masked pass
  kTimestep = 3,     // timestep sampler
  kLabelDrop = 4,    // label dropout, full pass
  kLabelDropMasked = 5,
  kMaskRatio = 6,   // one draw per batch and mask
  kMaskTokens = 7,  // token masks, one draw per sample and mask
  kDataOrder = 8,   // order of samples in an epoch
  kDataFlip = 9,
  kDataMoments = 10,  // VAE posterior sample
  kSampleInit = 11,   // initial noise of the sampler
  kSampleStep = 12,   // noise of a sampler step
  kSynthetic = 13,    // synthetic pictures
  kBenchmark = 14,
  kEvaluation = 15,   // subsets of features
  kTeacherTime = 16,  // how much nearer to data a teacher's time is
  kSampleKnown = 17,  // noise on the known part of pictures, sampler step
  kSampleBack = 18,   // noise of going back over a sampler step
  kGates = 19,        // gates of units and tokens, block by block
};

struct StreamKey {
  std::uint64_t seed = 0;
  Purpose purpose = Purpose::kInit;
  std::uint32_t step = 0;
  std::uint32_t sample = 0;
};

// The i-th group of four 32-bit words of a stream.
constexpr Counter block(const StreamKey& key, std::uint32_t index) {
  return philox4x32(
      {index, static_cast<std::uint32_t>(key.purpose), key.step, key.sample},
      {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)});
}

// 24 random bits in [0, 1): every value is exact in float32.
inline float to_uniform(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

// Uniform in [0, 1): elements first, first + 1, ... of the stream, `first` a multiple of 4. Element
// i depends on key and i only.
void fill_uniform(const StreamKey& key, std::span<float> out, std::uint32_t first = 0);

// Standard normal by Box-Muller in double (normal.h), rounded to float. Element i depends on key
// and i only.
void fill_normal(const StreamKey& key, std::span<float> out);

// The difference of two standard Gumbel draws (logistic.h). Element i depends on key and i only.
void fill_logistic(const StreamKey& key, std::span<float> out);

// Element 0 of fill_uniform.
float uniform(const StreamKey& key);

}  // namespace edt::random
