// How fast a run goes, and when it will be done: from the last steps, not from the time since its
// begin, so that waiting in a queue between two starts does not count.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "launcher/watch/metrics_record.h"

namespace edt {

struct Pace {
  double seconds_per_step = 0;  // with checkpoints, samples and all else between steps
  std::int64_t steps = 0;       // that it was taken from
};

// Of the present start of the run as soon as it has twenty steps, else of all given. Where records
// have no time of writing, the lengths of the steps themselves. Nothing for less than one step.
std::optional<Pace> pace_of(const std::deque<MetricsRecord>& recent);

}  // namespace edt
