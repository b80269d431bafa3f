#include "model/diffusion/guidance.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/assert.h"
#include "core/base/error.h"

namespace edt {
namespace {

// Twice the rows of `tensor`, in `memory`.
Tensor doubled(const Tensor& tensor, std::vector<float>& memory) {
  const Shape& s = tensor.shape;
  memory.resize(2 * tensor.span<float>().size());
  return view_of(std::span(memory), {2 * s[0], s[1], s[2], s[3]});
}

void repeat(std::span<const float> from, std::span<float> to) {
  const auto middle = std::ranges::copy(from, to.begin()).out;
  std::ranges::copy(from, middle);
}

}  // namespace

std::int64_t guided_channels(GuidedChannels which, std::int64_t channels) {
  const bool first_three =
      which == GuidedChannels::kFirstThree || (which == GuidedChannels::kAuto && channels == 4);
  return first_three ? std::min<std::int64_t>(3, channels) : channels;
}

double guidance_scale(const GuidanceConfig& config, double timestep) {
  if (!config.power_cosine) return config.scale;
  constexpr double kSteps = 1000, kPower = 4;
  const double progress = std::pow(1 - timestep / kSteps, kPower);
  return 1 + (config.scale - 1) * (1 - std::cos(std::numbers::pi * progress)) / 2;
}

GuidedDenoiser::GuidedDenoiser(Denoiser doubled_model, const GuidanceConfig& config)
    : doubled_(std::move(doubled_model)), config_(config) {
  require<UsageError>(std::isfinite(config.scale) && config.scale >= 0, "guidance",
                      "scale is {}, must be finite and not negative", config.scale);
}

void GuidedDenoiser::operator()(const Tensor& x_t, std::span<const float> t, const Tensor& out) {
  const std::int64_t pictures = x_t.shape[0], channels = x_t.shape[1];
  EDT_ASSERT(out.shape[0] == pictures && out.shape[1] == 2 * channels);
  const Tensor x = doubled(x_t, x_), both = doubled(out, out_);
  repeat(x_t.span<float>(), x_);
  t_.resize(2 * t.size());
  repeat(t, t_);
  doubled_(x, t_, both);

  const std::span<const float> with = std::span(out_).first(out_.size() / 2);
  const std::span<const float> without = std::span(out_).last(out_.size() / 2);
  const auto result = out.span<float>();
  std::ranges::copy(with, result.begin());
  const auto plane = static_cast<std::size_t>(x_t.shape[2] * x_t.shape[3]);
  const std::size_t picture = 2 * static_cast<std::size_t>(channels) * plane;
  const std::size_t guided =
      plane * static_cast<std::size_t>(guided_channels(config_.channels, channels));
  for (std::int64_t b = 0; b < pictures; ++b) {
    const auto row = static_cast<std::size_t>(b);
    const auto scale = static_cast<float>(guidance_scale(config_, static_cast<double>(t[row])));
    for (std::size_t i = row * picture; i < row * picture + guided; ++i) {
      result[i] = without[i] + scale * (with[i] - without[i]);
    }
  }
}

}  // namespace edt
