#include "core/cuda/gemm_timing.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/median.h"
#include "core/cuda/error.h"
#include "core/cuda/events.h"

namespace edt {
namespace {

// A stretch of launches between two events is at least so long, where this many are enough: an
// event's clock has steps of half a microsecond.
constexpr double kStretchSeconds = 200e-6;
constexpr int kMostLaunches = 100;

// One of several ways to one result.
struct Runner {
  std::function<void()> run;
  std::vector<double> seconds = {};
  TimedEvent begin = {}, end = {};

  double usual_seconds() const { return median(seconds); }
};

void stretch(cudaStream_t stream, const Runner& one, int launches) {
  one.begin.record(stream);
  for (int i = 0; i < launches; ++i) one.run();
  one.end.record(stream);
}

double elapsed(const Runner& one, int launches) {
  return one.end.seconds_since(one.begin) / launches;
}

// How many launches of the first make a stretch.
int launches_of(cudaStream_t stream, const Runner& first) {
  stretch(stream, first, 1);
  const double one = std::max(elapsed(first, 1), 1e-9);
  return static_cast<int>(std::clamp(std::ceil(kStretchSeconds / one), 1.0, double{kMostLaunches}));
}

// One stretch of each in a round; the host asks for all of them before it waits.
void take_turns(cudaStream_t stream, std::vector<Runner>& runners, int rounds) {
  const int launches = launches_of(stream, runners[0]);
  for (int i = 0; i < rounds; ++i) {
    for (const Runner& one : runners) stretch(stream, one, launches);
    for (Runner& one : runners) one.seconds.push_back(elapsed(one, launches));
  }
}

struct Candidate {
  cublasLtMatmulAlgo_t algorithm;
  int place;
};

// The first launch of a kernel loads it, and tells whether it runs at all.
std::vector<Candidate> admitted(const GemmPlan& plan, const Gemm& gemm, void* workspace,
                                int count) {
  std::vector<Candidate> candidates;
  const auto suggested = plan.suggestions(count);
  for (std::size_t i = 0; i < suggested.size(); ++i) {
    if (plan.launch(gemm, suggested[i], trial_scale(gemm), workspace) != CUBLAS_STATUS_SUCCESS) {
      forget_error();
      continue;
    }
    candidates.push_back({suggested[i], static_cast<int>(i)});
  }
  return candidates;
}

}  // namespace

// What is added to must stay what it is: multiplied a hundred times over, the gradients of a deep
// model would overflow, and a GPU is faster on NaN, whose bits do not change. The scale is an
// operand like others; at 0 the library would not read a and b.
float trial_scale(const Gemm& gemm) { return gemm.accumulate ? 1e-30f : 1.f; }

std::vector<double> seconds_in_turns(cudaStream_t stream,
                                     const std::vector<std::function<void()>>& ways, int rounds) {
  std::vector<Runner> runners;
  for (const auto& way : ways) runners.push_back({way});
  take_turns(stream, runners, rounds);
  std::vector<double> seconds;
  for (const Runner& one : runners) seconds.push_back(one.usual_seconds());
  return seconds;
}

std::optional<TunedGemm> fastest_algorithm(cudaStream_t stream, const GemmPlan& plan,
                                           const Gemm& gemm, void* workspace,
                                           const GemmTuning& tuning) {
  const auto candidates = admitted(plan, gemm, workspace, tuning.candidates);
  if (candidates.empty()) return std::nullopt;
  std::vector<std::function<void()>> ways;
  for (const Candidate& one : candidates) {
    ways.emplace_back([&plan, &gemm, &one, workspace] {
      check_cublas(plan.launch(gemm, one.algorithm, trial_scale(gemm), workspace),
                   text_of(plan.key));
    });
  }
  const std::vector<double> seconds = seconds_in_turns(stream, ways, tuning.rounds);
  auto best = static_cast<std::size_t>(std::ranges::min_element(seconds) - seconds.begin());
  if (seconds[best] >= (1 - tuning.margin) * seconds[0]) best = 0;
  return TunedGemm{
      .algorithm = std::bit_cast<std::array<std::uint64_t, 8>>(candidates[best].algorithm),
      .first_seconds = seconds[0],
      .seconds = seconds[best],
      .place = candidates[best].place,
      .candidates = static_cast<int>(candidates.size()),
      .rounds = tuning.rounds};
}

}  // namespace edt
