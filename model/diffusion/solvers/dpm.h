// DPM-Solver++ of second order over two steps (Lu et al., arXiv 2211.01095, algorithm 2), and of
// first order, which is DDIM.
#pragma once

#include "model/diffusion/solvers/time_grid.h"

namespace edt {

class DpmSolver final : public Solver {
 public:
  // `order` 1 or 2.
  DpmSolver(const Process& process, std::vector<GridPoint> grid, int order, bool clip_denoised);

  std::vector<double> times() const override;
  bool is_noisy() const override { return false; }
  bool forgets() const override { return order_ == 1; }
  std::unique_ptr<SolverRun> begin(const Denoiser& model, const StepNoise& noise,
                                   const Tensor& x) const override;

 private:
  class Run;

  Process process_;
  std::vector<GridPoint> grid_;
  int order_;
  bool clip_;
};

}  // namespace edt
