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
class DpmSolver::Run final : public SolverRun {
 public:
  Run(const DpmSolver& solver, Denoiser model, const Tensor& x)
      : solver_(solver),
        model_(std::move(model)),
        x_(x),
        memory_(solver.process_, x),
        before_(x.span<float>().size()) {}

  void step(int index, int) override {
    const GridPoint &from = solver_.grid_[static_cast<std::size_t>(index)],
                    &to = solver_.grid_[static_cast<std::size_t>(index) + 1];
    const PathPoint &here = from.path, &next = to.path;
    model_(x_, from.evaluation(from.t), memory_.out);
    const double step = log_ratio(next) - log_ratio(here);
    const bool is_second =
        solver_.order_ == 2 && std::isfinite(step) && std::isfinite(last_step_) && last_step_ > 0;
    const double share = is_second ? step / (2 * last_step_) : 0;
    const double of_x = next.sigma / here.sigma, of_origin = next.alpha - here.alpha * of_x;
    const Mix origin = solver_.process_.origin(here);
    const auto values = x_.span<float>();
    for_each_value(x_, memory_, [&](std::size_t at, float out) {
      float x_0 = origin(values[at], out);
      if (solver_.clip_) x_0 = std::clamp(x_0, -1.0f, 1.0f);
      const double led = x_0 + share * (double{x_0} - before_[at]);
      before_[at] = x_0;
      values[at] = static_cast<float>(of_x * values[at] + of_origin * led);
    });
    last_step_ = step;
  }

 private:
  const DpmSolver& solver_;
  Denoiser model_;
  Tensor x_;
  StepMemory memory_;
  std::vector<float> before_;  // x_0 that the last step predicted
  double last_step_ = 0;       // in log(alpha / sigma); 0: there was none
};

std::unique_ptr<SolverRun> DpmSolver::begin(const Denoiser& model, const StepNoise&,
                                            const Tensor& x) const {
  return std::make_unique<Run>(*this, model, x);
}

}  // namespace edt
