#include "data/import/moments.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/log.h"

namespace edt::data {

namespace {

bool all_positive(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return value >= 0; });
}

// A posterior that knows less than the prior everywhere is no VAE's.
void refuse_deviations_as_log_variances(std::span<const float> half, const std::string& label) {
  constexpr std::size_t kEnough = 16;  // that it is no chance
  if (half.size() < kEnough || !all_positive(half)) return;
  const auto [least, most] = std::minmax_element(half.begin(), half.end());
  fail<DataError>(
      "import",
      "{}: --moments logvar, but no log variance of the first sample is below 0 ({:.4g} "
      "to {:.4g}), as with standard deviations: --moments std",
      label, *least, *most);
}

}  // namespace

std::string_view name_of(Moments moments) {
  constexpr std::string_view kNames[] = {"auto", "off", "std", "logvar"};
  return kNames[static_cast<int>(moments)];
}

Moments decide_moments(Moments said, const SampleShape& shape, std::span<const float> sample,
                       const std::string& label) {
  const auto first = sample.first(sample.size() / 2), second = sample.subspan(sample.size() / 2);
  if (said != Moments::kAuto) {
    require<DataError>(said == Moments::kOff || shape.channels % 2 == 0, "import",
                       "{}: moments need an even number of channels, there are {}", label,
                       shape.channels);
    if (said == Moments::kLogvar) refuse_deviations_as_log_variances(second, label);
    return said;
  }
  constexpr std::uint64_t kMostPlain = 4;
  const bool odd = shape.channels % 2 != 0;
  const bool like_deviations = !odd && all_positive(second) && !all_positive(first);
  if (odd || (shape.channels <= kMostPlain && !like_deviations)) return Moments::kOff;
  fail<UsageError>("import",
                   "{}: {} channels may be latents, or mean and deviation or log variance of {}{}: "
                   "say --moments off, std or logvar",
                   label, shape.channels, shape.channels / 2,
                   like_deviations        ? " (the second half is nowhere negative)"
                   : all_positive(second) ? ""
                                          : " (the second half has negative values: no std)");
}

namespace {

double deviation_of(std::span<const float> sample) {
  double sum = 0, square = 0;
  for (const float value : sample) {
    sum += value;
    square += static_cast<double>(value) * value;
  }
  const auto n = static_cast<double>(sample.size());
  return std::sqrt(std::max(0.0, square / n - sum * sum / n / n));
}

constexpr double kLeastOfScaled = 0.3, kMostOfScaled = 3;

}  // namespace

void require_scaled(std::span<const float> sample, double scale, std::string_view way_out,
                    const std::string& label) {
  const double deviation = deviation_of(sample);
  require<UsageError>(deviation <= kMostOfScaled, "import",
                      "{}: the standard deviation of the first sample is {:.3g}: were the latents "
                      "multiplied by {}? Say {}",
                      label, deviation, scale, way_out);
}

void note_unusual_scale(std::span<const float> sample, double factor, const std::string& label) {
  const double deviation = factor * deviation_of(sample);
  if (deviation >= kLeastOfScaled && deviation <= kMostOfScaled) return;
  log::warning(
      "{}: the standard deviation of the first sample, as it is stored, is {:.3g}, where about 1 "
      "is usual: is --scaled right?",
      label, deviation);
}

void note_unusual_means(std::span<const float> means, double factor, const std::string& label) {
  const double deviation = factor * deviation_of(means);
  if (deviation >= kLeastOfScaled && deviation <= kMostOfScaled) return;
  log::warning(
      "{}: the standard deviation of the means of the first sample is {:.3g} once they are scaled, "
      "where about 1 is usual: --scaled on is for moments of latents that are scaled already",
      label, deviation);
}

void log_variance_to_deviation(std::span<float> half) {
  constexpr float kLeast = -30, kMost = 20;
  for (float& value : half) value = std::exp(0.5f * std::clamp(value, kLeast, kMost));
}

}  // namespace edt::data
