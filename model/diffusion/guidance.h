// Guidance: what a network predicts moves away from a worse prediction. Classifier-free (Ho and
// Salimans, arXiv 2207.12598): the network's own without the class, for which it sees each picture
// twice. Autoguidance (Karras et al., arXiv 2406.02507): that of a worse network for the same
// class.
#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "model/diffusion/denoiser.h"

namespace edt {

// How many of a latent's channels are guided: the first ones.
struct GuidedChannels {
  static constexpr std::int64_t kAuto = 0;  // of 4 channels the first three, of others all
  static constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
  std::int64_t first = kAuto;

  // "auto", "all", "first-three" or a number; UsageError otherwise.
  static GuidedChannels parse(std::string_view text);
  // Of latents of so many channels. UsageError where they are fewer than the number given.
  std::int64_t of(std::int64_t channels) const;
  // Of latents that are no pictures': the first three mean nothing, auto is all.
  GuidedChannels of_sequences() const { return {first == kAuto ? kAll : first}; }
  // "all", "first-three", "5": of latents of so many channels.
  std::string text(std::int64_t channels) const;
};

struct GuidanceConfig {
  double scale = 4;
  GuidedChannels channels;
  // MDT: 1 + (scale - 1) (1 - cos(pi (1 - t)^4)) / 2, that is none at first, all at the end.
  bool power_cosine = false;
  // Steps that begin at other times are not guided (Kynkaanniemi et al., arXiv 2404.07724): the
  // network sees the pictures once.
  double low = 0, high = 1;

  // Throws UsageError when the scale is negative or not finite, or the interval is none.
  void validate() const;
  bool guides(double t) const { return low <= t && t <= high; }
};

// t as in Evaluation.
double guidance_scale(const GuidanceConfig& config, double t);

// A denoiser of B pictures made from one of 2B rows: 0 ... B-1 of its batch are conditional, B ...
// 2B-1 are not. It is called with the first B alone in steps that are not guided.
// prediction = without + scale * (with - without) in the guided channels; all else, the variance
// included, is the conditional prediction.
class GuidedDenoiser {
 public:
  GuidedDenoiser(Denoiser doubled, const GuidanceConfig& config);

  void operator()(const Tensor& x_t, const Evaluation& at, const Tensor& out);

 private:
  Denoiser doubled_;
  GuidanceConfig config_;
  std::vector<float> x_, out_;  // of the doubled batch
};

// The same from two denoisers of B pictures each, the one that makes the pictures and its guide,
// whose prediction stands for the one without. The guide is asked in steps that are guided.
class AutoguidedDenoiser {
 public:
  AutoguidedDenoiser(Denoiser network, Denoiser guide, const GuidanceConfig& config);

  void operator()(const Tensor& x_t, const Evaluation& at, const Tensor& out);

 private:
  Denoiser network_, guide_;
  GuidanceConfig config_;
  std::vector<float> guides_;  // its predictions
};

}  // namespace edt
