#include "launcher/watch/pace.h"

#include <cmath>
#include <vector>

#include "core/base/median.h"

namespace edt {
namespace {

constexpr std::size_t kEnough = 20;

// The first of the last records that one start of the run wrote.
std::size_t begin_of_last_start(const std::deque<MetricsRecord>& recent) {
  std::size_t begin = recent.size() - 1;
  while (begin > 0 && recent[begin - 1].generation == recent.back().generation) --begin;
  return begin;
}

}  // namespace

std::optional<Pace> pace_of(const std::deque<MetricsRecord>& recent) {
  if (recent.empty()) return {};
  std::size_t begin = begin_of_last_start(recent);
  if (recent.size() - begin < kEnough) begin = 0;
  std::vector<double> lengths;
  for (std::size_t i = begin; i < recent.size(); ++i) {
    if (std::isfinite(recent[i].step_seconds)) lengths.push_back(recent[i].step_seconds);
  }
  if (lengths.empty()) return {};
  // More than this beside the step itself is a pause (a frozen or suspended run), not work.
  const double pause = 30 + 20 * median(lengths);
  Pace pace;
  for (std::size_t i = begin; i < recent.size(); ++i) {
    const MetricsRecord& record = recent[i];
    if (!std::isfinite(record.step_seconds)) continue;
    double seconds = record.step_seconds;
    if (i > begin && record.generation == recent[i - 1].generation) {
      const double since = record.time - recent[i - 1].time;
      if (since > seconds && since < seconds + pause) seconds = since;
    }
    if (seconds > pause && lengths.size() > 1) continue;  // paused inside the step
    pace.seconds_per_step += seconds;
    ++pace.steps;
  }
  if (pace.steps == 0) return {};
  pace.seconds_per_step /= static_cast<double>(pace.steps);
  return pace;
}

}  // namespace edt
