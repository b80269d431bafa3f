#include "model/diffusion/solvers/integrators.h"

#include <cmath>
#include <numbers>

#include "core/base/error.h"

namespace edt {
namespace {

std::vector<double> times_of(const std::vector<GridPoint>& grid) {
  std::vector<double> all;
  for (std::size_t i = 0; i + 1 < grid.size(); ++i) all.push_back(grid[i].t);
  return all;
}

double sum_of(const Mix& mix, float x, float out) {
  return mix.of_x * double{x} + mix.of_out * double{out};
}

// The slope of x, by `mix` of what the network says at x.
void slope(const Tensor& x, const StepMemory& memory, const Mix& mix, std::vector<double>& to) {
  to.resize(x.span<float>().size());
  const float* values = x.as<float>();
  for_each_value(x, memory, [&](std::size_t i, float out) { to[i] = sum_of(mix, values[i], out); });
}

void add(const Tensor& x, double factor, const std::vector<double>& slopes) {
  const auto values = x.span<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(values[i] + factor * slopes[i]);
  }
}

// Heun's second half: x has gone `factor` along `first` already.
void correct(const Tensor& x, double factor, const std::vector<double>& first,
             const std::vector<double>& second) {
  const auto values = x.span<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(values[i] + factor / 2 * (second[i] - first[i]));
  }
}

}  // namespace

OdeSolver::OdeSolver(const Process& process, std::vector<GridPoint> grid, bool heun)
    : process_(process), grid_(std::move(grid)), heun_(heun) {}

std::vector<double> OdeSolver::times() const { return times_of(grid_); }

void OdeSolver::run(const Denoiser& model, const StepNoise&, const Tensor& x,
                    const SamplingProgress& progress) const {
  StepMemory memory(process_, x);
  std::vector<double> first, second;
  for (std::size_t i = 0; i + 1 < grid_.size(); ++i) {
    const GridPoint &here = grid_[i], &next = grid_[i + 1];
    const double way = next.path.time - here.path.time;
    model(x, here.evaluation(here.t), memory.out);
    slope(x, memory, process_.velocity(here.path), first);
    add(x, way, first);
    if (heun_ && next.is_asked) {
      model(x, next.evaluation(here.t), memory.out);
      slope(x, memory, process_.velocity(next.path), second);
      correct(x, way, first, second);
    }
    if (progress) progress(static_cast<int>(i) + 1, static_cast<int>(grid_.size()) - 1);
  }
}

SdeSolver::SdeSolver(const Process& process, const SolverConfig& config)
    : process_(process), config_(config) {
  if (process.schedule() != nullptr) {
    grid_ = step_grid(process, config.spacing);
    return;
  }
  const int steps = flow_steps(config.spacing);
  constexpr double kOfThePath = 1 - 1e-3;  // that form is infinite at the noise
  const double from = config.diffusion == DiffusionForm::kPath ? kOfThePath : 1;
  const double last = config.last_step_size;
  require<UsageError>(0 < last && last < from, "sample",
                      "last-step-size is {}, must be above 0 and below {}", last, from);
  if (config.last_step == LastStep::kNone) {
    grid_ = flow_grid(process, from, 0, steps, config.shift);
    return;
  }
  if (steps == 1) {
    grid_ = flow_grid(process, from, 0, 1, config.shift);
    return;
  }
  grid_ = flow_grid(process, from, last, steps - 1, config.shift);
  grid_.push_back(
      {process.data(), 0, process.told(0), process.config().prediction != PredictionType::kOrigin});
}

std::vector<double> SdeSolver::times() const { return times_of(grid_); }

double SdeSolver::strength(const PathPoint& p) const {
  const double whole = process_.schedule() != nullptr ? std::numbers::pi / 2 : 1;
  const double done = 1 - p.time / whole;
  switch (config_.diffusion) {
    case DiffusionForm::kSigma:
      return p.sigma;
    case DiffusionForm::kLinear:
      return 1 - done;
    case DiffusionForm::kConstant:
      return 1;
    case DiffusionForm::kDecreasing:
      return std::pow(std::cos(std::numbers::pi * done) + 1, 2) / 4;
    case DiffusionForm::kIncreasingDecreasing:
      return std::pow(std::sin(std::numbers::pi * done), 2);
    case DiffusionForm::kPath:
      break;
  }
  // Rates are those of time towards noise.
  return p.sigma * p.sigma_rate - p.sigma * p.sigma * p.alpha_rate / p.alpha;
}

// score = -noise / sigma
Mix SdeSolver::drift(const PathPoint& p) const {
  const double w = strength(p);
  const Mix v = process_.velocity(p);
  if (w == 0) return {-v.of_x, -v.of_out};
  const Mix e = process_.noise(p);
  return {-v.of_x - w / p.sigma * e.of_x, -v.of_out - w / p.sigma * e.of_out};
}

Mix SdeSolver::last_drift(const PathPoint& p) const {
  if (config_.last_step == LastStep::kEuler) {
    const Mix v = process_.velocity(p);
    return {-v.of_x, -v.of_out};
  }
  return drift(p);
}

void SdeSolver::run(const Denoiser& model, const StepNoise& noise, const Tensor& x,
                    const SamplingProgress& progress) const {
  StepMemory memory(process_, x);
  std::vector<double> first, second;
  const auto values = x.span<float>();
  const int steps = static_cast<int>(grid_.size()) - 1;
  for (int done = 0; done < steps; ++done) {
    const GridPoint &here = grid_[static_cast<std::size_t>(done)],
                    &next = grid_[static_cast<std::size_t>(done) + 1];
    const double way = here.path.time - next.path.time;  // towards data
    const bool is_last = done + 1 == steps && config_.last_step != LastStep::kNone;
    const auto add_noise = [&] {
      noise(done, memory.noise);
      const double deviation = std::sqrt(2 * strength(here.path) * way);
      const auto drawn = memory.noise.span<float>();
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<float>(values[i] + deviation * drawn[i]);
      }
    };
    const bool heun = config_.kind == SolverKind::kSdeHeun && !is_last;
    if (heun) add_noise();
    model(x, here.evaluation(here.t), memory.out);
    if (is_last && config_.last_step == LastStep::kTweedie) {
      const Mix origin = process_.origin(here.path);
      for_each_value(x, memory,
                     [&](std::size_t i, float out) { values[i] = origin(values[i], out); });
    } else {
      slope(x, memory, is_last ? last_drift(here.path) : drift(here.path), first);
      add(x, way, first);
    }
    if (heun && next.is_asked && next.path.sigma > 0) {
      model(x, next.evaluation(here.t), memory.out);
      slope(x, memory, drift(next.path), second);
      correct(x, way, first, second);
    }
    if (!heun && !is_last) add_noise();
    if (progress) progress(done + 1, steps);
  }
}

}  // namespace edt
