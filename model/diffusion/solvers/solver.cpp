#include "model/diffusion/solvers/solver.h"

#include <algorithm>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "model/diffusion/solvers/ancestral.h"
#include "model/diffusion/solvers/dpm.h"
#include "model/diffusion/solvers/integrators.h"
#include "model/diffusion/spacing.h"

namespace edt {
namespace {

void check(const Process& process, const SolverConfig& config, SolverKind kind) {
  const bool discrete = process.config().discrete();
  const std::string_view name = name_of(kind);
  require<UsageError>(
      discrete || kind != SolverKind::kDdpm, "sampler",
      "sampler is ddpm, and process.kind is flow: take ddim, euler, heun, sde-euler, "
      "sde-heun or dpm++");
  require<UsageError>(config.eta == 0 || (kind == SolverKind::kDdim && discrete), "sampler",
                      "eta is {}, but only ddim has it, and only where process.kind is ddpm",
                      config.eta);
  require<UsageError>(
      !config.clip_denoised || kind == SolverKind::kDdpm || kind == SolverKind::kDdim ||
          kind == SolverKind::kDpm,
      "sampler", "clip-denoised is on, and sampler is {}: only ddpm, ddim and dpm++ clip", name);
  require<UsageError>(config.shift > 0, "sampler", "shift is {}, must be above 0", config.shift);
  require<UsageError>(!discrete || config.shift == 1, "sampler",
                      "shift is {}, and process.kind is ddpm, whose steps spacing chooses",
                      config.shift);
}

template <class Choice>
std::string_view name_in(const Named<Choice>& all, Choice choice) {
  return std::ranges::find(all, choice, &std::pair<std::string, Choice>::second)->first;
}

std::vector<GridPoint> grid_of(const Process& process, const SolverConfig& config) {
  if (process.schedule() != nullptr) return step_grid(process, config.spacing);
  return flow_grid(process, 1, 0, flow_steps(config.spacing), config.shift);
}

}  // namespace

SolverKind default_solver(const ProcessConfig& process) {
  return process.discrete() ? SolverKind::kDdpm : SolverKind::kEuler;
}

SolverKind preview_solver(const ProcessConfig& process) {
  return process.discrete() ? SolverKind::kDdim : SolverKind::kEuler;
}

const Named<SolverKind>& solver_kinds() {
  static const Named<SolverKind> all{
      {"ddpm", SolverKind::kDdpm},          {"ddim", SolverKind::kDdim},
      {"euler", SolverKind::kEuler},        {"heun", SolverKind::kHeun},
      {"sde-euler", SolverKind::kSdeEuler}, {"sde-heun", SolverKind::kSdeHeun},
      {"dpm++", SolverKind::kDpm}};
  return all;
}

const Named<DiffusionForm>& diffusion_forms() {
  static const Named<DiffusionForm> all{
      {"sigma", DiffusionForm::kSigma},
      {"linear", DiffusionForm::kLinear},
      {"constant", DiffusionForm::kConstant},
      {"decreasing", DiffusionForm::kDecreasing},
      {"increasing-decreasing", DiffusionForm::kIncreasingDecreasing},
      {"path", DiffusionForm::kPath}};
  return all;
}

const Named<LastStep>& last_steps() {
  static const Named<LastStep> all{{"mean", LastStep::kMean},
                                   {"tweedie", LastStep::kTweedie},
                                   {"euler", LastStep::kEuler},
                                   {"none", LastStep::kNone}};
  return all;
}

std::string_view name_of(SolverKind kind) { return name_in(solver_kinds(), kind); }
std::string_view name_of(DiffusionForm form) { return name_in(diffusion_forms(), form); }
std::string_view name_of(LastStep last_step) { return name_in(last_steps(), last_step); }

void Solver::run(const Denoiser& model, const StepNoise& noise, const Tensor& x,
                 const SamplingProgress& progress) const {
  const auto way = begin(model, noise, x);
  const int last = steps();
  for (int step = 0; step < last; ++step) {
    way->step(step, step);
    if (progress) progress(step + 1, last);
  }
}

std::unique_ptr<Solver> make_solver(const Process& process, const SolverConfig& asked) {
  SolverConfig config = asked;
  const SolverKind kind = asked.kind.value_or(default_solver(process.config()));
  config.kind = kind;
  check(process, config, kind);
  switch (kind) {
    case SolverKind::kDdpm:
    case SolverKind::kDdim:
      if (const DiffusionSchedule* all = process.schedule()) {
        return std::make_unique<Ancestral>(
            process, all->spaced(space_timesteps(all->steps(), config.spacing)), config);
      }
      return std::make_unique<DpmSolver>(process, grid_of(process, config), 1,
                                         config.clip_denoised);
    case SolverKind::kEuler:
    case SolverKind::kHeun:
      return std::make_unique<OdeSolver>(process, grid_of(process, config),
                                         kind == SolverKind::kHeun);
    case SolverKind::kSdeEuler:
    case SolverKind::kSdeHeun:
      return std::make_unique<SdeSolver>(process, config);
    case SolverKind::kDpm:
      return std::make_unique<DpmSolver>(process, grid_of(process, config), 2,
                                         config.clip_denoised);
  }
  EDT_ASSERT(false);
  return nullptr;
}

}  // namespace edt
