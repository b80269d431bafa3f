// Classifier-free guidance (Ho and Salimans, arXiv 2207.12598): the network sees each picture
// twice, with and without its class, and the predicted noise moves away from the prediction
// without.
#pragma once

#include <vector>

#include "model/diffusion/denoiser.h"

namespace edt {

enum class GuidedChannels {
  kAuto,        // of 4 channels the first three, of any other number all
  kFirstThree,  // as published by DiT, MDT and EDT: of the 4 latent channels only 3 are guided
  kAll
};
// How many of the `channels` of a latent are guided: the first ones.
std::int64_t guided_channels(GuidedChannels which, std::int64_t channels);

struct GuidanceConfig {
  double scale = 4;
  GuidedChannels channels = GuidedChannels::kAuto;
  // MDT: 1 + (scale - 1) (1 - cos(pi (1 - t / 1000)^4)) / 2, that is none at first, all at the end.
  bool power_cosine = false;
};

double guidance_scale(const GuidanceConfig& config, double timestep);

// A denoiser of B pictures made from one of 2B: rows 0 ... B-1 of its batch are conditional, rows
// B ... 2B-1 are not. noise = without + scale * (with - without) in the guided channels; all else,
// the variance included, is the conditional prediction.
class GuidedDenoiser {
 public:
  // Throws UsageError when the scale is negative or not finite.
  GuidedDenoiser(Denoiser doubled, const GuidanceConfig& config);

  void operator()(const Tensor& x_t, std::span<const float> t, const Tensor& out);

 private:
  Denoiser doubled_;
  GuidanceConfig config_;
  std::vector<float> x_, t_, out_;  // of the doubled batch
};

}  // namespace edt
