// Ancestral sampling (DDPM) and its implicit form (DDIM) over the steps of a discrete process.
#pragma once

#include "model/diffusion/solvers/solver.h"

namespace edt {

class Ancestral final : public Solver {
 public:
  // `schedule`: the steps that are visited. `config` has one of these kinds.
  Ancestral(const Process& process, DiffusionSchedule schedule, const SolverConfig& config);

  std::vector<double> times() const override;
  bool is_noisy() const override { return config_.kind == SolverKind::kDdpm || config_.eta > 0; }
  std::unique_ptr<SolverRun> begin(const Denoiser& model, const StepNoise& noise,
                                   const Tensor& x) const override;

 private:
  class Run;
  bool is_noisy_at(int step) const { return step > 0 && is_noisy(); }

  Process process_;
  DiffusionSchedule schedule_;
  SolverConfig config_;
};

}  // namespace edt
