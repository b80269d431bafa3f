#include "model/pruning/decisions.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/ops/unit_mask_formula.h"

namespace edt {
namespace {

constexpr double kFalls = 0.75;  // of a run, in which the bound comes down to 0

}  // namespace

double bound_at(BoundCourse course, double progress) {
  const double passed = progress / kFalls;
  if (passed >= 1) return 0;
  if (course == BoundCourse::kCube) return 1 - std::cbrt(passed);
  return 1 - (course == BoundCourse::kSquare ? std::sqrt(passed) : passed * passed);
}

UnitDecisions::UnitDecisions(std::vector<UnitLayer> layers, double macs, const PruningRules& rules)
    : layers_(std::move(layers)), macs_(macs), rules_(rules) {
  std::size_t units = 0;
  for (const UnitLayer& layer : layers_) {
    first_.push_back(units);
    units += static_cast<std::size_t>(layer.units);
  }
  bounds_.assign(units, static_cast<float>(rules.first_bound));
  scales_.assign(units, 1.f);
  factors_.assign(units, 1.f);
  stays_.assign(units, true);
}

std::int64_t UnitDecisions::rounded(std::size_t layer, std::int64_t units) const {
  const std::int64_t multiple =
      layers_[layer].kind == UnitKind::kHeads ? rules_.head_multiple : rules_.hidden_multiple;
  return std::min((units + multiple - 1) / multiple * multiple, layers_[layer].units);
}

std::int64_t UnitDecisions::least_of(std::size_t layer) const {
  const double share = rules_.least * static_cast<double>(layers_[layer].units);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(share - 1e-9)));
}

double UnitDecisions::share_of(std::span<const std::int64_t> counts) const {
  double gone = 0;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    gone += layers_[i].macs * static_cast<double>(layers_[i].units - rounded(i, counts[i]));
  }
  return 1 - gone / macs_;
}

double UnitDecisions::least_share() const {
  std::vector<std::int64_t> least;
  for (std::size_t i = 0; i < layers_.size(); ++i) least.push_back(least_of(i));
  return share_of(least);
}

std::vector<std::int64_t> UnitDecisions::counts() const {
  std::vector<std::int64_t> counts;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const auto begin = stays_.begin() + static_cast<std::ptrdiff_t>(first_[i]);
    const std::int64_t count = std::count(begin, begin + layers_[i].units, true);
    counts.push_back(std::max(count, least_of(i)));
  }
  return counts;
}

double UnitDecisions::share() const { return share_of(counts()); }

bool UnitDecisions::done() const {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (!decided(i)) return false;
  }
  return true;
}

// Of units that are decided, the scale is all.
void UnitDecisions::look_at(std::span<const float> weights) {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (decided(i)) continue;
    const std::size_t end = first_[i] + static_cast<std::size_t>(layers_[i].units);
    for (std::size_t u = first_[i]; u < end; ++u) {
      factors_[u] = scales_[u] * mask_factor(weights[u], bounds_[u]);
      stays_[u] = weights[u] > -bounds_[u];
    }
  }
}

// What goes from within the band to above it goes on with the factor that it had: the function of
// the network does not jump there. Below the band the factor is 0 before and behind.
void UnitDecisions::lower_bound_to(float bound, std::span<const float> weights) {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (decided(i)) continue;
    const std::size_t end = first_[i] + static_cast<std::size_t>(layers_[i].units);
    for (std::size_t u = first_[i]; u < end; ++u) {
      if (weights[u] > bound) scales_[u] *= mask_factor(weights[u], bounds_[u]);
      bounds_[u] = bound;
    }
  }
}

void UnitDecisions::decide(std::size_t layer, std::span<const float> weights) {
  const auto units = static_cast<std::size_t>(layers_[layer].units), first = first_[layer];
  std::vector<std::size_t> order(units);
  std::iota(order.begin(), order.end(), first);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    if (stays_[a] != stays_[b]) return static_cast<bool>(stays_[a]);
    return weights[a] > weights[b];
  });
  const auto begin = stays_.begin() + static_cast<std::ptrdiff_t>(first);
  const std::int64_t wanted = std::count(begin, begin + layers_[layer].units, true);
  const std::int64_t count = rounded(layer, std::max(wanted, least_of(layer)));
  for (std::size_t i = 0; i < units; ++i) {
    const std::size_t u = order[i];
    // One that was cut, and stays to fill a multiple, gives nothing at first.
    const bool counts = static_cast<std::int64_t>(i) < std::max(wanted, least_of(layer));
    stays_[u] = static_cast<std::int64_t>(i) < count;
    if (!counts) scales_[u] = 0;
    if (counts) scales_[u] *= mask_factor(weights[u], bounds_[u]);
    factors_[u] = scales_[u];
    bounds_[u] = -1;
  }
}

void UnitDecisions::freeze_thin_layers(std::span<const float> weights) {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (decided(i)) continue;
    const auto begin = stays_.begin() + static_cast<std::ptrdiff_t>(first_[i]);
    const auto left = static_cast<double>(std::count(begin, begin + layers_[i].units, true));
    if (1 - left / static_cast<double>(layers_[i].units) > rules_.frozen) decide(i, weights);
  }
}

// Where the bound is down and more is left than is asked for, the lowest weights go.
void UnitDecisions::cut_down_to_target(std::span<const float> weights) {
  std::vector<std::int64_t> left = counts();
  struct Unit {
    std::size_t at, layer;
  };
  std::vector<Unit> order;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (decided(i)) continue;
    for (std::size_t u = 0; u < static_cast<std::size_t>(layers_[i].units); ++u) {
      if (stays_[first_[i] + u]) order.push_back({first_[i] + u, i});
    }
  }
  std::ranges::stable_sort(order, {}, [&](const Unit& unit) { return weights[unit.at]; });
  for (const auto& [at, layer] : order) {
    if (share_of(left) <= rules_.target) return;
    if (left[layer] <= least_of(layer)) continue;
    stays_[at] = false;
    --left[layer];
  }
}

bool UnitDecisions::advance(double passed, std::span<const float> weights) {
  constexpr double kUpdates = 112;  // of the bound: published, 150 in a run
  EDT_ASSERT(weights.size() == bounds_.size());
  if (done()) return false;
  look_at(weights);
  const double at = std::floor(std::min(passed, 1.0) * kUpdates + 1e-9) / kUpdates;
  const auto bound = static_cast<float>(rules_.first_bound * bound_at(rules_.course, kFalls * at));
  const auto falling = std::ranges::find_if(bounds_, [](float one) { return one >= 0; });
  if (*falling == bound) return false;
  freeze_thin_layers(weights);
  if (bound == 0) cut_down_to_target(weights);
  if (share() <= rules_.target || bound == 0) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (!decided(i)) decide(i, weights);
    }
    return true;
  }
  lower_bound_to(bound, weights);
  look_at(weights);
  return true;
}

std::vector<float> UnitDecisions::band(std::size_t layer) const {
  const auto units = static_cast<std::size_t>(layers_[layer].units), first = first_[layer];
  std::vector<float> band(3 * units);
  std::copy_n(bounds_.begin() + static_cast<std::ptrdiff_t>(first), units, band.begin());
  std::copy_n(scales_.begin() + static_cast<std::ptrdiff_t>(first), units,
              band.begin() + static_cast<std::ptrdiff_t>(units));
  std::fill_n(band.begin() + static_cast<std::ptrdiff_t>(2 * units), units,
              static_cast<float>(layers_[layer].macs / macs_ / rules_.first_bound));
  return band;
}

std::vector<float> UnitDecisions::state() const {
  std::vector<float> state = bounds_;
  state.insert(state.end(), scales_.begin(), scales_.end());
  state.insert(state.end(), factors_.begin(), factors_.end());
  for (const bool one : stays_) state.push_back(one ? 1.f : 0.f);
  return state;
}

void UnitDecisions::restore(std::span<const float> state) {
  const std::size_t n = bounds_.size();
  EDT_ASSERT(state.size() == 4 * n);
  std::ranges::copy(state.first(n), bounds_.begin());
  std::ranges::copy(state.subspan(n, n), scales_.begin());
  std::ranges::copy(state.subspan(2 * n, n), factors_.begin());
  for (std::size_t u = 0; u < n; ++u) stays_[u] = state[3 * n + u] != 0;
}

}  // namespace edt
