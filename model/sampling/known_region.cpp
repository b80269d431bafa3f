#include "model/sampling/known_region.h"

#include <algorithm>
#include <cmath>

#include "core/base/assert.h"
#include "core/base/error.h"

namespace edt {
namespace {

// Back over a step of the process: q(x_t | x_s) of s, nearer to data.
void go_back(const PathPoint& to, const PathPoint& from, std::span<const float> noise,
             std::span<float> x) {
  const double share = to.alpha / from.alpha;
  const double variance = to.sigma * to.sigma - share * share * from.sigma * from.sigma;
  const double deviation = std::sqrt(std::max(0.0, variance));
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(share * x[i] + deviation * noise[i]);
  }
}

}  // namespace

// f(place in the batch's values)
template <class F>
void KnownBatch::for_each_known(const Tensor& x, F f) const {
  const auto pictures = static_cast<std::size_t>(x.shape[0]);
  const std::size_t pixels = mask.size() / pictures, size = latents.size() / pictures;
  EDT_ASSERT(latents.size() == x.span<float>().size() && size % pixels == 0);
  for (std::size_t b = 0; b < pictures; ++b) {
    for (std::size_t i = 0; i < size; ++i) {
      if (mask[b * pixels + i % pixels] != 0) f(b * size + i);
    }
  }
}

void KnownBatch::put(const PathPoint& at, int step, const Tensor& x,
                     std::span<float> memory) const {
  noise(step, view_of(memory, x.shape));
  const auto values = x.span<float>();
  for_each_known(x, [&](std::size_t i) {
    values[i] = static_cast<float>(at.alpha * latents[i] + at.sigma * memory[i]);
  });
}

void KnownBatch::put_as_it_is(const Tensor& x) const {
  const auto values = x.span<float>();
  for_each_known(x, [&](std::size_t i) { values[i] = latents[i]; });
}

void run_around(const Solver& solver, const Process& process, const Denoiser& model,
                const StepNoise& noise, const KnownBatch& known, const Resampling& resampling,
                const Tensor& x, const SamplingProgress& progress) {
  require<UsageError>(
      resampling.times == 1 || solver.forgets(), "sampler",
      "resample is {}, and a step of the sampler, dpm++, goes by the one before it: "
      "take another sampler",
      resampling.times);
  const std::vector<double> times = solver.times();
  const int steps = static_cast<int>(times.size());
  std::vector<float> memory(x.span<float>().size());
  int number = 0;  // of the step's noise: further times count on behind the last step
  const Denoiser asked = [&](const Tensor& x_t, const Evaluation& at, const Tensor& out) {
    known.put(process.at(at.t), number, x_t, memory);
    model(x_t, at, out);
  };
  const auto way = solver.begin(asked, noise, x);
  for (int step = 0; step < steps; ++step) {
    const auto at = static_cast<std::size_t>(step);
    for (int time = 0; time < resampling.times; ++time) {
      number = step + time * steps;
      way->step(step, number);
      if (time + 1 == resampling.times) break;
      resampling.noise(number, view_of(std::span(memory), x.shape));
      const PathPoint end = step + 1 < steps ? process.at(times[at + 1]) : process.data();
      go_back(process.at(times[at]), end, memory, x.span<float>());
    }
    if (progress) progress(step + 1, steps);
  }
  known.put_as_it_is(x);
}

}  // namespace edt
