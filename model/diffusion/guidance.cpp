#include "model/diffusion/guidance.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

#include "core/base/assert.h"
#include "core/base/error.h"

namespace edt {
namespace {

constexpr std::int64_t kPublished = 3;  // by DiT, MDT, EDT and SiT, of 4

// Twice the rows of `tensor`, in `memory`.
Tensor doubled(const Tensor& tensor, std::vector<float>& memory) {
  const Shape& s = tensor.shape;
  memory.resize(2 * tensor.span<float>().size());
  return view_of(std::span(memory), {2 * s[0], s[1], s[2], s[3]});
}

// In the guided channels of `out`, the prediction, which moves away from `without`.
void move_away(const GuidanceConfig& config, double t, std::int64_t channels,
               std::span<const float> without, const Tensor& out) {
  const auto plane = static_cast<std::size_t>(out.shape[2] * out.shape[3]);
  const std::size_t picture = static_cast<std::size_t>(out.shape[1]) * plane;
  const std::size_t guided = plane * static_cast<std::size_t>(config.channels.of(channels));
  const auto scale = static_cast<float>(guidance_scale(config, t));
  const auto result = out.span<float>();
  for (std::size_t row = 0; row < static_cast<std::size_t>(out.shape[0]); ++row) {
    for (std::size_t i = row * picture; i < row * picture + guided; ++i) {
      result[i] = without[i] + scale * (result[i] - without[i]);
    }
  }
}

void repeat(std::span<const float> from, std::span<float> to) {
  const auto middle = std::ranges::copy(from, to.begin()).out;
  std::ranges::copy(from, middle);
}

}  // namespace

GuidedChannels GuidedChannels::parse(std::string_view text) {
  if (text == "auto") return {kAuto};
  if (text == "all") return {kAll};
  if (text == "first-three") return {kPublished};
  std::int64_t first = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), first);
  require<UsageError>(error == std::errc() && end == text.data() + text.size() && first >= 1,
                      "guidance",
                      "guided-channels is '{}', must be auto, all, first-three or a number", text);
  return {first};
}

std::int64_t GuidedChannels::of(std::int64_t channels) const {
  if (first == kAll) return channels;
  if (first == kAuto) return channels == 4 ? kPublished : channels;
  if (first == kPublished) return std::min(kPublished, channels);
  require<UsageError>(first <= channels, "guidance", "guided-channels is {}, latents have {}",
                      first, channels);
  return first;
}

std::string GuidedChannels::text(std::int64_t channels) const {
  const std::int64_t guided = of(channels);
  if (guided == channels) return "all";
  return guided == kPublished ? "first-three" : std::to_string(guided);
}

void GuidanceConfig::validate() const {
  require<UsageError>(std::isfinite(scale) && scale >= 0, "guidance",
                      "scale is {}, must be finite and not negative", scale);
  require<UsageError>(0 <= low && low <= high && high <= 1, "guidance",
                      "guidance-interval is {},{}, expected 0 <= low <= high <= 1", low, high);
}

double guidance_scale(const GuidanceConfig& config, double t) {
  if (!config.power_cosine) return config.scale;
  constexpr double kPower = 4;
  const double progress = std::pow(1 - t, kPower);
  return 1 + (config.scale - 1) * (1 - std::cos(std::numbers::pi * progress)) / 2;
}

GuidedDenoiser::GuidedDenoiser(Denoiser doubled_model, const GuidanceConfig& config)
    : doubled_(std::move(doubled_model)), config_(config) {
  config.validate();
}

void GuidedDenoiser::operator()(const Tensor& x_t, const Evaluation& at, const Tensor& out) {
  if (!config_.guides(at.step_t)) return doubled_(x_t, at, out);
  const std::int64_t pictures = x_t.shape[0], channels = x_t.shape[1];
  EDT_ASSERT(out.shape[0] == pictures && out.shape[1] >= channels);
  const Tensor x = doubled(x_t, x_), both = doubled(out, out_);
  repeat(x_t.span<float>(), x_);
  doubled_(x, at, both);

  const std::span<const float> with = std::span(out_).first(out_.size() / 2);
  std::ranges::copy(with, out.span<float>().begin());
  move_away(config_, at.step_t, channels, std::span(out_).last(out_.size() / 2), out);
}

AutoguidedDenoiser::AutoguidedDenoiser(Denoiser network, Denoiser guide,
                                       const GuidanceConfig& config)
    : network_(std::move(network)), guide_(std::move(guide)), config_(config) {
  config.validate();
}

void AutoguidedDenoiser::operator()(const Tensor& x_t, const Evaluation& at, const Tensor& out) {
  network_(x_t, at, out);
  if (!config_.guides(at.step_t)) return;
  guides_.resize(out.span<float>().size());
  guide_(x_t, at, view_of(std::span(guides_), out.shape));
  move_away(config_, at.step_t, x_t.shape[1], guides_, out);
}

}  // namespace edt
