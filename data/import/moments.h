// What the channels of an array mean: latents, or the moments of the VAE's posterior, whose second
// half is a standard deviation or a log variance.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "data/import/source.h"

namespace edt::data {

// `sample`: values of the first one. Returns kOff, kStd or kLogvar: what was said, or kOff where
// nothing was said and only latents are possible. UsageError where both are; DataError where the
// sample cannot be what was said.
Moments decide_moments(Moments said, const SampleShape& shape, std::span<const float> sample,
                       const std::string& label);

// Latents of Stable Diffusion's VAE have a deviation of 1 once they are multiplied by `scale`, and
// of about 5 before. UsageError for a first sample that looks like the latter; `way_out`: how to
// say what they are.
void require_scaled(std::span<const float> sample, double scale, std::string_view way_out,
                    const std::string& label);

// A warning where latents, as they will be stored, are far from what models are trained on: what
// was said of their scale may be wrong.
void note_unusual_scale(std::span<const float> sample, double factor, const std::string& label);

// The same of the means of moments, which are scaled when they are drawn from.
void note_unusual_means(std::span<const float> means, double factor, const std::string& label);

// Second half of a sample, in place: exp(v / 2), v held within -30 ... 20 as in the published VAEs
// (CompVis/latent-diffusion ldm/modules/distributions/distributions.py,
// DiagonalGaussianDistribution).
void log_variance_to_deviation(std::span<float> half);

std::string_view name_of(Moments moments);

}  // namespace edt::data
