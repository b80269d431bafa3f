#include "launcher/watch/metrics_history.h"

#include <algorithm>
#include <cmath>

#include "core/base/assert.h"

namespace edt {

namespace {

void take_named(std::int64_t step, const std::vector<std::pair<std::string, double>>& numbers,
                NamedCurves& curves) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto& [name, value] = numbers[i];
    const bool here = i < curves.size() && curves[i].first == name;
    auto found = here ? curves.begin() + static_cast<std::ptrdiff_t>(i)
                      : std::ranges::find(curves, name, &std::pair<std::string, Curve>::first);
    if (found == curves.end()) found = curves.insert(curves.end(), {name, Curve()});
    found->second.add(step, value);
  }
}

}  // namespace

bool MetricsHistory::refresh() {
  return file_.look(
      [this](std::string_view line) {
        if (parser_.parse(line, record_)) {
          take(record_);
        } else {
          ++seen_.bad_lines;
        }
      },
      [this] { seen_ = {}; });
}

void MetricsHistory::take(const MetricsRecord& record) {
  if (!seen_.recent.empty() && record.step <= seen_.recent.back().step) {
    ++seen_.bad_lines;  // a file that two runs wrote; the first one counts
    return;
  }
  ++seen_.steps;
  for (Curves& one : seen_.curves) {
    // Values that no step of the run has leave no mark; those that were not finite are counted.
    const double value = record.*one.value;
    if (!std::isnan(value) || !(one.is_sparse || one.curve.empty())) {
      one.curve.add(record.step, value);
    }
  }
  take_named(record.step, record.time_share, seen_.shares);
  take_named(record.step, record.beside, seen_.beside);
  if (std::isfinite(record.step_seconds)) seen_.trained_seconds += record.step_seconds;
  if (!std::isnan(seen_.generation) && record.generation > seen_.generation) {
    seen_.restarts.push_back(record.step);
  }
  if (!std::isnan(record.generation)) seen_.generation = record.generation;
  for (const auto& [kind, text] : record.events) {
    ++seen_.event_counts[kind];
    seen_.events.push_back({record.step, kind, text});
    if (seen_.events.size() > kEvents) seen_.events.pop_front();
  }
  remember(record);
}

// The oldest record gives its memory to the newest.
void MetricsHistory::remember(const MetricsRecord& record) {
  auto& recent = seen_.recent;
  if (recent.size() < kRecent) {
    recent.push_back(record);
    return;
  }
  MetricsRecord oldest = std::move(recent.front());
  recent.pop_front();
  oldest = record;
  recent.push_back(std::move(oldest));
}

const Curve& MetricsHistory::curve(double MetricsRecord::*value) const {
  const auto found = std::ranges::find(seen_.curves, value, &Curves::value);
  EDT_ASSERT(found != seen_.curves.end());
  return found->curve;
}

double MetricsHistory::recent_mean(double MetricsRecord::*value, std::size_t steps) const {
  double sum = 0, count = 0;
  const std::size_t size = seen_.recent.size();
  for (std::size_t i = size - std::min(size, steps); i < size; ++i) {
    const double one = seen_.recent[i].*value;
    if (!std::isfinite(one)) continue;
    sum += one;
    ++count;
  }
  return count > 0 ? sum / count : MetricsRecord::kNone;
}

double MetricsHistory::last_of(double MetricsRecord::*value) const {
  const Curve& all = curve(value);
  return all.empty() ? MetricsRecord::kNone : all.buckets().back().last;
}

// Weighted by the length of each step: shares of time, not of steps.
std::vector<std::pair<std::string, double>> MetricsHistory::recent_shares(std::size_t steps) const {
  std::vector<std::pair<std::string, double>> sums;
  for (const auto& curve : seen_.shares) sums.emplace_back(curve.first, 0.0);
  double seconds = 0;
  const std::size_t size = seen_.recent.size();
  for (std::size_t i = size - std::min(size, steps); i < size; ++i) {
    const MetricsRecord& record = seen_.recent[i];
    if (record.time_share.empty() || !std::isfinite(record.step_seconds)) continue;
    seconds += record.step_seconds;
    for (const auto& [name, share] : record.time_share) {
      const auto sum = std::ranges::find(sums, name, &std::pair<std::string, double>::first);
      if (sum != sums.end() && std::isfinite(share)) sum->second += share * record.step_seconds;
    }
  }
  if (seconds == 0) return {};
  for (auto& sum : sums) sum.second /= seconds;
  return sums;
}

}  // namespace edt
