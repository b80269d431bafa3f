// From noise to pictures: walks the way of a process back, asking a network where to go.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/diffusion/denoiser.h"
#include "model/diffusion/process.h"
#include "model/diffusion/sample_noise.h"

namespace edt {

enum class SolverKind { kDdpm, kDdim, kEuler, kHeun, kSdeEuler, kSdeHeun, kDpm };

// w in dx = (v + w score) dt + sqrt(2 w) dW with time running from noise to data: how much noise a
// step adds and takes away again; samples are distributed alike whatever it is (Ma et al., arXiv
// 2401.08740, section 2.4). s is the share of the way that is done, from 0 to 1.
enum class DiffusionForm {
  kSigma,                 // sigma
  kLinear,                // 1 - s
  kConstant,              // 1
  kDecreasing,            // (cos(pi s) + 1)^2 / 4
  kIncreasingDecreasing,  // sin(pi s)^2
  kPath                   // sigma^2 alpha' / alpha - sigma sigma' ("SBDM")
};
// How the last step of such a walk, which adds no noise, is made.
enum class LastStep {
  kMean,     // the mean of a step
  kTweedie,  // to the predicted x_0
  kEuler,    // along the velocity alone
  kNone      // as all others
};

struct SolverConfig {
  std::optional<SolverKind> kind;  // nothing: default_solver()
  // Of a discrete process: which steps are visited, see space_timesteps(). Of a flow: a number.
  std::string spacing = "250";
  double eta = 0;  // DDIM over DDPM: 0 is deterministic, 1 as noisy as DDPM's smallest variance
  bool clip_denoised = false;  // clip the predicted x_0 to [-1, 1]
  double shift = 1;            // of the times of a flow, see shifted()
  DiffusionForm diffusion = DiffusionForm::kSigma;
  LastStep last_step = LastStep::kMean;
  double last_step_size = 0.04;  // of a flow
};

// ddpm, or euler for a flow.
SolverKind default_solver(const ProcessConfig& process);
// With a little work and no noise: for pictures that show how training goes.
SolverKind preview_solver(const ProcessConfig& process);
// All of them under the names that options and files have.
template <class Choice>
using Named = std::vector<std::pair<std::string, Choice>>;
const Named<SolverKind>& solver_kinds();
const Named<DiffusionForm>& diffusion_forms();
const Named<LastStep>& last_steps();
std::string_view name_of(SolverKind kind);
std::string_view name_of(DiffusionForm form);
std::string_view name_of(LastStep last_step);

// Called after each step with the number of steps done and their total.
using SamplingProgress = std::function<void(int done, int total)>;

// Pictures x [B, C, H, W], host float32, on their way from noise to samples: the caller holds them.
class SolverRun {
 public:
  virtual ~SolverRun() = default;
  // Takes x over step `step`, counted from 0. `noise_step`: whose step noise it adds.
  virtual void step(int step, int noise_step) = 0;
};

class Solver {
 public:
  virtual ~Solver() = default;

  // Where its steps begin, in the order in which they are taken: t as in Evaluation.
  virtual std::vector<double> times() const = 0;
  int steps() const { return static_cast<int>(times().size()); }
  // Whether it adds noise.
  virtual bool is_noisy() const = 0;

  // Whether a step goes by where it begins alone, so that it can be taken again from there.
  virtual bool forgets() const { return true; }

  // `noise` gives the noise of each step in which some is added. The solver outlives the run.
  virtual std::unique_ptr<SolverRun> begin(const Denoiser& model, const StepNoise& noise,
                                           const Tensor& x) const = 0;
  // All steps: x is noise on entry, samples on return.
  void run(const Denoiser& model, const StepNoise& noise, const Tensor& x,
           const SamplingProgress& progress = {}) const;
};

// Throws UsageError, naming both, for what does not fit each other.
std::unique_ptr<Solver> make_solver(const Process& process, const SolverConfig& config);

}  // namespace edt
