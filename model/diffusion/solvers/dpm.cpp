#include "model/diffusion/solvers/dpm.h"

#include <algorithm>
#include <cmath>

namespace edt {
namespace {

// log(alpha / sigma): infinite at both ends.
double log_ratio(const PathPoint& p) { return std::log(p.alpha / p.sigma); }

}  // namespace

DpmSolver::DpmSolver(const Process& process, std::vector<GridPoint> grid, int order,
                     bool clip_denoised)
    : process_(process), grid_(std::move(grid)), order_(order), clip_(clip_denoised) {}

std::vector<double> DpmSolver::times() const {
  std::vector<double> all;
  for (std::size_t i = 0; i + 1 < grid_.size(); ++i) all.push_back(grid_[i].t);
  return all;
}

// x' = sigma'/sigma x + (alpha' - alpha sigma'/sigma) D with D the predicted x_0, or what the last
// two of them lead to: D = (1 + 1/(2 r)) x_0 - 1/(2 r) x_0 of the step before, r the ratio of the
// steps in log(alpha / sigma), the last over this one. Where a step is infinitely long, at the
// noise or the data, the predicted x_0 alone counts.
void DpmSolver::run(const Denoiser& model, const StepNoise&, const Tensor& x,
                    const SamplingProgress& progress) const {
  StepMemory memory(process_, x);
  const auto values = x.span<float>();
  std::vector<float> before(values.size());
  double last_step = 0;  // in log(alpha / sigma); 0: there was none
  for (std::size_t i = 0; i + 1 < grid_.size(); ++i) {
    const PathPoint &here = grid_[i].path, &next = grid_[i + 1].path;
    model(x, grid_[i].evaluation(grid_[i].t), memory.out);
    const double step = log_ratio(next) - log_ratio(here);
    const bool is_second =
        order_ == 2 && std::isfinite(step) && std::isfinite(last_step) && last_step > 0;
    const double share = is_second ? step / (2 * last_step) : 0;
    const double of_x = next.sigma / here.sigma, of_origin = next.alpha - here.alpha * of_x;
    const Mix origin = process_.origin(here);
    for_each_value(x, memory, [&](std::size_t at, float out) {
      float x_0 = origin(values[at], out);
      if (clip_) x_0 = std::clamp(x_0, -1.0f, 1.0f);
      const double led = x_0 + share * (double{x_0} - before[at]);
      before[at] = x_0;
      values[at] = static_cast<float>(of_x * values[at] + of_origin * led);
    });
    last_step = step;
    if (progress) progress(static_cast<int>(i) + 1, static_cast<int>(grid_.size()) - 1);
  }
}

}  // namespace edt
