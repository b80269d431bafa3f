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

class OdeSolver::Run final : public SolverRun {
 public:
  Run(const OdeSolver& solver, Denoiser model, const Tensor& x)
      : solver_(solver), model_(std::move(model)), x_(x), memory_(solver.process_, x) {}

  void step(int index, int) override {
    const Process& process = solver_.process_;
    const GridPoint &here = solver_.grid_[static_cast<std::size_t>(index)],
                    &next = solver_.grid_[static_cast<std::size_t>(index) + 1];
    const double way = next.path.time - here.path.time;
    model_(x_, here.evaluation(here.t), memory_.out);
    slope(x_, memory_, process.velocity(here.path), first_);
    add(x_, way, first_);
    if (!solver_.heun_ || !next.is_asked) return;
    model_(x_, next.evaluation(here.t), memory_.out);
    slope(x_, memory_, process.velocity(next.path), second_);
    correct(x_, way, first_, second_);
  }

 private:
  const OdeSolver& solver_;
  Denoiser model_;
  Tensor x_;
  StepMemory memory_;
  std::vector<double> first_, second_;
};

std::unique_ptr<SolverRun> OdeSolver::begin(const Denoiser& model, const StepNoise&,
                                            const Tensor& x) const {
  return std::make_unique<Run>(*this, model, x);
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

class SdeSolver::Run final : public SolverRun {
 public:
  Run(const SdeSolver& solver, Denoiser model, StepNoise noise, const Tensor& x)
      : solver_(solver),
        model_(std::move(model)),
        noise_(std::move(noise)),
        x_(x),
        memory_(solver.process_, x) {}

  void step(int index, int noise_step) override {
    const GridPoint &here = solver_.grid_[static_cast<std::size_t>(index)],
                    &next = solver_.grid_[static_cast<std::size_t>(index) + 1];
    const LastStep last_step = solver_.config_.last_step;
    const double way = here.path.time - next.path.time;  // towards data
    const bool is_last = index + 1 == solver_.steps() && last_step != LastStep::kNone;
    const bool heun = solver_.config_.kind == SolverKind::kSdeHeun && !is_last;
    if (heun) add_noise(here, way, noise_step);
    model_(x_, here.evaluation(here.t), memory_.out);
    if (is_last && last_step == LastStep::kTweedie) {
      const Mix origin = solver_.process_.origin(here.path);
      const auto values = x_.span<float>();
      for_each_value(x_, memory_,
                     [&](std::size_t i, float out) { values[i] = origin(values[i], out); });
    } else {
      slope(x_, memory_, is_last ? solver_.last_drift(here.path) : solver_.drift(here.path),
            first_);
      add(x_, way, first_);
    }
    if (heun && next.is_asked && next.path.sigma > 0) {
      model_(x_, next.evaluation(here.t), memory_.out);
      slope(x_, memory_, solver_.drift(next.path), second_);
      correct(x_, way, first_, second_);
    }
    if (!heun && !is_last) add_noise(here, way, noise_step);
  }

 private:
  void add_noise(const GridPoint& here, double way, int noise_step) {
    noise_(noise_step, memory_.noise);
    const double deviation = std::sqrt(2 * solver_.strength(here.path) * way);
    const auto values = x_.span<float>(), drawn = memory_.noise.span<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(values[i] + deviation * drawn[i]);
    }
  }

  const SdeSolver& solver_;
  Denoiser model_;
  StepNoise noise_;
  Tensor x_;
  StepMemory memory_;
  std::vector<double> first_, second_;
};

std::unique_ptr<SolverRun> SdeSolver::begin(const Denoiser& model, const StepNoise& noise,
                                            const Tensor& x) const {
  return std::make_unique<Run>(*this, model, noise, x);
}

}  // namespace edt
