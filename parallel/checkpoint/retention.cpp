#include "parallel/checkpoint/retention.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace edt {

std::vector<std::int64_t> expired(const Retention& retention, std::vector<RankedStep> complete) {
  std::ranges::sort(complete, std::greater{}, &RankedStep::step);
  const auto newest =
      std::min(complete.size(), static_cast<std::size_t>(std::max(retention.newest, 1)));
  std::vector<RankedStep> ranked;
  std::ranges::copy_if(complete, std::back_inserter(ranked),
                       [](const RankedStep& one) { return one.loss.has_value(); });
  std::ranges::sort(ranked, [](const RankedStep& a, const RankedStep& b) {
    return *a.loss < *b.loss || (*a.loss == *b.loss && a.step < b.step);
  });
  ranked.resize(std::min(ranked.size(), static_cast<std::size_t>(retention.best)));

  std::vector<std::int64_t> gone;
  for (std::size_t i = newest; i < complete.size(); ++i) {
    const std::int64_t step = complete[i].step;
    const bool milestone = retention.every > 0 && step % retention.every == 0;
    if (!milestone && std::ranges::find(ranked, step, &RankedStep::step) == ranked.end()) {
      gone.push_back(step);
    }
  }
  return gone;
}

std::vector<std::int64_t> added_during(const Retention& retention, std::vector<RankedStep> now,
                                       const std::vector<std::int64_t>& saves) {
  const std::ptrdiff_t before = std::ssize(now);
  std::vector<std::int64_t> added;
  for (const std::int64_t step : saves) {
    added.push_back(std::ssize(now) + 1 - before);
    std::erase_if(now, [&](const RankedStep& one) { return one.step == step; });
    // Where losses only rise, the best are never among the newest, and most stay.
    now.push_back({step, std::numeric_limits<double>::infinity()});
    const auto gone = expired(retention, now);
    std::erase_if(now, [&](const RankedStep& one) {
      return std::ranges::find(gone, one.step) != gone.end();
    });
  }
  return added;
}

}  // namespace edt
