// Solvers of the flow that leads from noise to data, without added noise (Euler, Heun) and with it.
#pragma once

#include "model/diffusion/solvers/time_grid.h"

namespace edt {

// dx/dtime = velocity. Heun's step takes the mean of the slopes at both of its ends; where the
// network cannot be asked at the second, it is Euler's.
class OdeSolver final : public Solver {
 public:
  OdeSolver(const Process& process, std::vector<GridPoint> grid, bool heun);

  std::vector<double> times() const override;
  bool is_noisy() const override { return false; }
  std::unique_ptr<SolverRun> begin(const Denoiser& model, const StepNoise& noise,
                                   const Tensor& x) const override;

 private:
  class Run;

  Process process_;
  std::vector<GridPoint> grid_;
  bool heun_;
};

// dx = (velocity + w score) dt + sqrt(2 w) dW, dt towards data (Euler-Maruyama; with Heun the noise
// comes first, then a Heun step of the drift).
class SdeSolver final : public Solver {
 public:
  // Makes its grid itself.
  SdeSolver(const Process& process, const SolverConfig& config);

  std::vector<double> times() const override;
  bool is_noisy() const override { return true; }
  std::unique_ptr<SolverRun> begin(const Denoiser& model, const StepNoise& noise,
                                   const Tensor& x) const override;

 private:
  class Run;

  double strength(const PathPoint& p) const;  // w
  Mix drift(const PathPoint& p) const;
  // From x, in the direction of data: how the last step goes.
  Mix last_drift(const PathPoint& p) const;

  Process process_;
  SolverConfig config_;
  std::vector<GridPoint> grid_;
};

}  // namespace edt
