// Rounds of a step and the machine's ceiling in turn, and the medians over them.
#pragma once

#include <functional>
#include <vector>

#include "core/base/profiler.h"
#include "core/ops/backend.h"
#include "launcher/bench/step_bench.h"
#include "parallel/comm/communicator.h"
#include "parallel/zero/communication_queue.h"

namespace edt {

// Of one step on this rank.
struct StepSeconds {
  CommunicationTime communication;
  double computing = 0;
};

// Each second; 0: not measured.
struct MachineLimits {
  double flops = 0;       // between registers alone
  double read_bytes = 0;  // from memory
};

// All ranks make the same calls.
class StepRounds {
 public:
  // `step` runs one step and waits for its end; `limits` measures what this rank's machine can do
  // at most; `profiler` covers one step of this rank.
  StepRounds(std::function<StepSeconds()> step, MatmulCeiling& ceiling,
             std::function<MachineLimits()> limits, Profiler& profiler, Communicator& ranks);

  // One run of the ceiling and the limits, then `steps` steps, which are timed together.
  void round(int steps);

  // Rates, times and shares of the rounds so far. `result.images` is given.
  void fill(StepBenchResult& result) const;

 private:
  double over_ranks(double value, Reduce reduce) const;
  StepSeconds run(int steps);

  std::function<StepSeconds()> step_;
  MatmulCeiling& ceiling_;
  std::function<MachineLimits()> limits_;
  Profiler& profiler_;
  Communicator& ranks_;
  double flops_ = 0, recompute_flops_ = 0;  // of one step, on all ranks
  std::vector<double> seconds_, ratios_, ceilings_, peaks_, reads_, exposed_, hidden_, imbalance_;
};

// Shares of a step of `seconds` that the profiler's scopes took, largest first, and the rest.
std::vector<std::pair<std::string, double>> time_shares(const Profiler& profiler, double seconds);

}  // namespace edt
