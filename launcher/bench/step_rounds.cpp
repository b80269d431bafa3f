#include "launcher/bench/step_rounds.h"

#include <algorithm>
#include <utility>

#include "core/base/median.h"
#include "launcher/machine/measuring.h"

namespace edt {

StepRounds::StepRounds(std::function<StepSeconds()> step, MatmulCeiling& ceiling,
                       std::function<MachineLimits()> limits, Profiler& profiler,
                       Communicator& ranks)
    : step_(std::move(step)),
      ceiling_(ceiling),
      limits_(std::move(limits)),
      profiler_(profiler),
      ranks_(ranks) {}

double StepRounds::over_ranks(double value, Reduce reduce) const {
  return ranks_.all_reduce_value(value, reduce, "measurement");
}

StepSeconds StepRounds::run(int steps) {
  StepSeconds time;
  for (int i = 0; i < steps; ++i) {
    profiler_.reset();
    time = step_();
  }
  return time;
}

void StepRounds::round(int steps) {
  ranks_.barrier("begin of the ceiling");
  ceilings_.push_back(over_ranks(ceiling_.flops() / ceiling_.run(), Reduce::kSum));
  const MachineLimits limits = limits_();
  peaks_.push_back(over_ranks(limits.flops, Reduce::kSum));
  reads_.push_back(over_ranks(limits.read_bytes, Reduce::kSum));
  ranks_.barrier("begin of the step");
  StepSeconds time;
  const double seconds = seconds_of([&] { time = run(steps); }) / steps;
  seconds_.push_back(over_ranks(seconds, Reduce::kMax));
  flops_ = over_ranks(profiler_.total_flops(), Reduce::kSum);
  recompute_flops_ = over_ranks(profiler_.total_recompute_flops(), Reduce::kSum);
  ratios_.push_back(flops_ / seconds_.back() / ceilings_.back());
  exposed_.push_back(time.communication.exposed / seconds);
  hidden_.push_back(time.communication.hidden() / seconds);
  const double mean = over_ranks(time.computing, Reduce::kSum) / ranks_.size();
  const double slowest = over_ranks(time.computing, Reduce::kMax);
  imbalance_.push_back(mean > 0 ? slowest / mean : 1);
}

void StepRounds::fill(StepBenchResult& result) const {
  const auto images = static_cast<double>(result.images);
  result.step_seconds = median(seconds_);
  result.fastest_seconds = std::ranges::min(seconds_);
  result.slowest_seconds = std::ranges::max(seconds_);
  result.images_per_second = images / result.step_seconds;
  result.gflop_per_image = flops_ / images / 1e9;
  result.recompute_gflop_per_image = recompute_flops_ / images / 1e9;
  result.achieved_gflops = flops_ / result.step_seconds / 1e9;
  result.ceiling_gflops = median(ceilings_) / 1e9;
  result.peak_gflops = median(peaks_) / 1e9;
  result.read_bytes_per_second = median(reads_);
  result.ceiling_dtype = ceiling_.dtype();
  result.ceiling_ratio = median(ratios_);
  result.exposed_communication = median(exposed_);
  result.hidden_communication = median(hidden_);
  result.imbalance = median(imbalance_);
  result.time_share = time_shares(profiler_, seconds_.back());
}

std::vector<std::pair<std::string, double>> time_shares(const Profiler& profiler, double seconds) {
  std::vector<std::pair<std::string, double>> shares;
  double other = 1;
  for (const Profiler::Entry& scope : profiler.entries()) {
    shares.emplace_back(scope.name, scope.seconds / seconds);
    other -= shares.back().second;
  }
  shares.emplace_back("other", other);
  std::ranges::stable_sort(shares, std::greater{}, [](auto& share) { return share.second; });
  return shares;
}

}  // namespace edt
