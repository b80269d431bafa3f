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

// What is added to must stay what it is: multiplied a hundred times over, the gradients of a deep
// model would overflow, and a GPU is faster on NaN, whose bits do not change. The scale is an
// operand like others; at 0 the library would not read a and b.
float scale_of(const Gemm& p) { return p.accumulate ? 1e-30f : 1.f; }

struct Candidate {
  cublasLtMatmulAlgo_t algorithm;
  int place;
  std::vector<double> seconds = {};
  TimedEvent begin = {}, end = {};

  double usual_seconds() const { return median(seconds); }
};

class Contest {
 public:
  Contest(cudaStream_t stream, const GemmPlan& plan, const Gemm& gemm, void* workspace)
      : stream_(stream), plan_(plan), gemm_(gemm), workspace_(workspace) {}

  // The first launch of a kernel loads it, and tells whether it runs at all.
  std::vector<Candidate> admitted(int count) const {
    std::vector<Candidate> candidates;
    const auto suggested = plan_.suggestions(count);
    for (std::size_t i = 0; i < suggested.size(); ++i) {
      if (launch(suggested[i]) != CUBLAS_STATUS_SUCCESS) continue;
      candidates.push_back({suggested[i], static_cast<int>(i)});
    }
    return candidates;
  }

  // How many launches of the first make a stretch.
  int launches(Candidate& first) const {
    stretch(first, 1);
    const double one = std::max(elapsed(first, 1), 1e-9);
    return static_cast<int>(
        std::clamp(std::ceil(kStretchSeconds / one), 1.0, double{kMostLaunches}));
  }

  // One stretch of each; the host asks for all of them before it waits.
  void round(std::vector<Candidate>& candidates, int launches) const {
    for (Candidate& one : candidates) stretch(one, launches);
    for (Candidate& one : candidates) one.seconds.push_back(elapsed(one, launches));
  }

 private:
  cublasStatus_t launch(const cublasLtMatmulAlgo_t& algorithm) const {
    return plan_.launch(gemm_, algorithm, scale_of(gemm_), workspace_);
  }
  void stretch(const Candidate& one, int launches) const {
    one.begin.record(stream_);
    for (int i = 0; i < launches; ++i) check_cublas(launch(one.algorithm), text_of(plan_.key));
    one.end.record(stream_);
  }
  static double elapsed(const Candidate& one, int launches) {
    return one.end.seconds_since(one.begin) / launches;
  }

  cudaStream_t stream_;
  const GemmPlan& plan_;
  const Gemm& gemm_;
  void* workspace_;
};

}  // namespace

std::optional<TunedGemm> fastest_algorithm(cudaStream_t stream, const GemmPlan& plan,
                                           const Gemm& gemm, void* workspace,
                                           const GemmTuning& tuning) {
  const Contest contest(stream, plan, gemm, workspace);
  std::vector<Candidate> candidates = contest.admitted(tuning.candidates);
  if (candidates.empty()) return std::nullopt;
  const int launches = contest.launches(candidates[0]);
  for (int i = 0; i < tuning.rounds; ++i) contest.round(candidates, launches);
  const Candidate& first = candidates[0];
  const Candidate* best = &*std::ranges::min_element(candidates, {}, &Candidate::usual_seconds);
  if (best->usual_seconds() >= (1 - tuning.margin) * first.usual_seconds()) best = &first;
  return TunedGemm{.algorithm = std::bit_cast<std::array<std::uint64_t, 8>>(best->algorithm),
                   .first_seconds = first.usual_seconds(),
                   .seconds = best->usual_seconds(),
                   .place = best->place,
                   .candidates = static_cast<int>(candidates.size()),
                   .rounds = tuning.rounds};
}

}  // namespace edt
