// The places at which a solver stops, from noise to data.
#pragma once

#include <vector>

#include "model/diffusion/denoiser.h"
#include "model/diffusion/process.h"
#include "model/diffusion/solvers/solver.h"

namespace edt {

struct GridPoint {
  PathPoint path;
  double t = 0;
  float told = 0;
  // False where the network cannot be asked: at the data, where a discrete process has no step and
  // a predicted x_0 says nothing of the noise.
  bool is_asked = true;

  Evaluation evaluation(double step_t) const { return {t, step_t, told}; }
};

// Of a flow: from its noisiest time (or `from`, where that is less) to `to` in `steps` equal steps,
// shifted. Steps + 1 points.
std::vector<GridPoint> flow_grid(const Process& process, double from, double to, int steps,
                                 double shift);
// Of a discrete process: the steps visited, then the data.
std::vector<GridPoint> step_grid(const Process& process, std::string_view spacing);

// The number of steps that a flow is asked for. UsageError where it is none.
int flow_steps(std::string_view spacing);

// Memory of a network's output for pictures x, and of noise like them.
class StepMemory {
 public:
  StepMemory(const Process& process, const Tensor& x);

  Tensor out, noise;
  const float* given() const { return out_.data(); }
  // Index of the first value that was predicted for picture b; further ones follow it.
  std::size_t place(std::size_t b) const { return b * of_output_; }

 private:
  std::size_t of_output_ = 0;
  std::vector<float> out_, noise_;
};

// f(i, predicted) for each value i of x, with what the network gave for it; over threads.
template <class F>
void for_each_value(const Tensor& x, const StepMemory& memory, F f) {
  const std::int64_t pictures = x.shape[0];
  const auto n = static_cast<std::size_t>(x.elements() / pictures);
#pragma omp parallel for schedule(static) if (pictures > 1)
  for (std::int64_t b = 0; b < pictures; ++b) {
    const auto row = static_cast<std::size_t>(b);
    const float* predicted = memory.given() + memory.place(row);
    for (std::size_t i = 0; i < n; ++i) f(row * n + i, predicted[i]);
  }
}

}  // namespace edt
