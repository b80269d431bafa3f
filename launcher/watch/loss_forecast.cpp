#include "launcher/watch/loss_forecast.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "launcher/watch/wording.h"

namespace edt {
namespace {

constexpr double kSkippedShare = 0.02;
constexpr int kMostBins = 200;
constexpr std::size_t kFewestBins = 30;
constexpr double kRateRange = 2;       // a rate that moves by more bends the curve
constexpr double kFarthest = 10;       // times the steps that were taken
constexpr double kLargestError = 0.1;  // of the fit to the first half

struct Bins {
  std::vector<double> steps, losses;

  std::size_t size() const { return steps.size(); }
  Bins before(double step) const {
    const auto count = std::ranges::upper_bound(steps, step) - steps.begin();
    return {{steps.begin(), steps.begin() + count}, {losses.begin(), losses.begin() + count}};
  }
};

// From the warm-up's end, by which the rate has half of its highest value.
double first_step(const MetricsHistory& metrics, double last) {
  double first = kSkippedShare * last, highest = 0;
  const auto rates = metrics.curve(&MetricsRecord::lr).buckets();
  for (const Curve::Bucket& bucket : rates) highest = std::max(highest, bucket.high);
  for (const Curve::Bucket& bucket : rates) {
    if (bucket.high >= highest / kRateRange) break;
    first = std::max(first, static_cast<double>(bucket.last_step));
  }
  return first;
}

Bins bins_of(const MetricsHistory& metrics, double first, double last) {
  const double ratio = std::pow(last / std::max(first, 1.0), 1.0 / kMostBins);
  Bins bins;
  double end = 0, sum = 0, steps = 0, count = 0;
  const auto close = [&] {
    if (count == 0) return;
    bins.steps.push_back(steps / count);
    bins.losses.push_back(sum / count);
    sum = steps = count = 0;
  };
  for (const Curve::Bucket& bucket : metrics.curve(&MetricsRecord::loss).buckets()) {
    if (bucket.middle() <= first) continue;
    if (bucket.middle() > end) {
      close();
      end = bucket.middle() * ratio;
    }
    const auto values = static_cast<double>(bucket.count);
    sum += bucket.sum;
    steps += bucket.middle() * values;
    count += values;
  }
  close();
  return bins;
}

std::string rate_refusal(const MetricsHistory& metrics, double first) {
  double low = 0, high = 0;
  for (const Curve::Bucket& bucket : metrics.curve(&MetricsRecord::lr).buckets()) {
    if (bucket.middle() <= first) continue;
    low = low == 0 ? bucket.low : std::min(low, bucket.low);
    high = std::max(high, bucket.high);
  }
  if (high <= kRateRange * low) return "";
  return fmt::format("the learning rate moves between {:.3g} and {:.3g}, which bends the curve",
                     low, high);
}

// Whether the last quarter of the bins lies below the first by more than their scatter explains.
std::string descent_refusal(const Bins& bins) {
  struct Quarter {
    double mean = 0, variance = 0;  // of the mean
  };
  const std::size_t count = bins.size() / 4;
  const auto quarter = [&](std::size_t first) {
    const auto values = std::span(bins.losses).subspan(first, count);
    Quarter q;
    for (const double value : values) q.mean += value / static_cast<double>(count);
    for (const double value : values) {
      q.variance += (value - q.mean) * (value - q.mean) / static_cast<double>(count * (count - 1));
    }
    return q;
  };
  const Quarter first = quarter(0), last = quarter(bins.size() - count);
  if (first.mean - last.mean > 3 * std::sqrt(first.variance + last.variance)) return "";
  return fmt::format("the loss is not descending: {:.4g} in the first quarter, {:.4g} in the last",
                     first.mean, last.mean);
}

std::string fit_refusal(const PowerLawFit& fit, const Bins& bins, std::int64_t step) {
  const PowerLaw& law = fit.law;
  if (law.power < 0.02 || law.power > 5) {
    return fmt::format("the curve is no power law: its power would be {:.3g}", law.power);
  }
  if (law.limit < 1e-3 * std::ranges::min(bins.losses)) {
    return "the curve does not show yet where it ends: any limit from 0 on fits";
  }
  if (!std::isfinite(fit.error_at(static_cast<double>(step)))) {
    return "the curve does not tell limit, scale and power apart";
  }
  return "";
}

// As large as the fit to the first half is wrong over the second.
std::optional<double> backtest(const Bins& bins) {
  const Bins half = bins.before(bins.steps.back() / 2);
  if (half.size() < kFewestBins / 2 || bins.size() == half.size()) return {};
  const auto fit = fit_power_law(half.steps, half.losses);
  if (!fit) return {};
  double sum = 0;
  for (std::size_t i = half.size(); i < bins.size(); ++i) {
    sum += std::log(fit->law(bins.steps[i]) / bins.losses[i]);
  }
  return std::abs(std::expm1(sum / static_cast<double>(bins.size() - half.size())));
}

}  // namespace

LossForecast forecast_loss(const MetricsHistory& metrics, std::int64_t step) {
  LossForecast forecast;
  forecast.step = step;
  const auto refuse = [&](std::string why) {
    forecast.refusal = std::move(why);
    return forecast;
  };
  if (metrics.empty()) return refuse("no step is recorded yet");
  const auto last = static_cast<double>(metrics.last().step);
  const double first = first_step(metrics, last);
  const Bins bins = bins_of(metrics, first, last);
  forecast.bins = static_cast<std::int64_t>(bins.size());
  if (bins.size() < kFewestBins) {
    return refuse(fmt::format("too few steps: {} bins of {}", bins.size(), kFewestBins));
  }
  if (std::string why = rate_refusal(metrics, first); !why.empty()) return refuse(std::move(why));
  if (static_cast<double>(step) > kFarthest * last) {
    return refuse(fmt::format("step {} is more than {} times as far as the {} that were taken",
                              thousands(step), kFarthest, thousands(metrics.last().step)));
  }
  if (std::ranges::min(bins.losses) <= 0) return refuse("the loss is not positive");
  if (std::string why = descent_refusal(bins); !why.empty()) return refuse(std::move(why));
  const auto fit = fit_power_law(bins.steps, bins.losses);
  if (!fit) return refuse("no power law fits the curve");
  if (std::string why = fit_refusal(*fit, bins, step); !why.empty()) return refuse(std::move(why));
  forecast.backtest = backtest(bins);
  if (forecast.backtest.value_or(0) > kLargestError) {
    return refuse(
        fmt::format("from the first half of the steps the second would have been {:.0f} % off",
                    100 * *forecast.backtest));
  }
  forecast.law = fit->law;
  forecast.loss = fit->law(static_cast<double>(step));
  const double open = std::max(1.96 * fit->error_at(static_cast<double>(step)),
                               std::log1p(forecast.backtest.value_or(0)));
  forecast.low = forecast.loss * std::exp(-open);
  forecast.high = forecast.loss * std::exp(open);
  return forecast;
}

std::string forecast_text(const LossForecast& forecast) {
  if (!forecast.is_sound()) return "no forecast: " + forecast.refusal;
  const PowerLaw& law = forecast.law;
  std::string text = fmt::format("{:.4g} at step {} ({:.4g} to {:.4g}; {:.3g} + {:.3g} s^-{:.2f}",
                                 forecast.loss, thousands(forecast.step), forecast.low,
                                 forecast.high, law.limit, law.scale, law.power);
  if (forecast.backtest) {
    text += fmt::format("; from half of the steps it would have been {:.1f} % off",
                        100 * *forecast.backtest);
  }
  return text + ")";
}

}  // namespace edt
