#include "model/diffusion/solvers/time_grid.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "model/diffusion/spacing.h"
#include "model/diffusion/time_sampler.h"

namespace edt {

int flow_steps(std::string_view spacing) {
  int steps = 0;
  const auto [end, error] = std::from_chars(spacing.data(), spacing.data() + spacing.size(), steps);
  require<UsageError>(
      error == std::errc() && end == spacing.data() + spacing.size() && steps >= 1, "sample",
      "spacing is '{}', and process.kind is flow, which takes a number of steps", spacing);
  return steps;
}

std::vector<GridPoint> flow_grid(const Process& process, double from, double to, int steps,
                                 double shift) {
  const double first = std::min(from, process.noisiest());
  std::vector<GridPoint> grid;
  for (int i = 0; i <= steps; ++i) {
    const double even = i == steps ? to : first + (to - first) * i / steps;
    const double t = shifted(even, shift);
    const bool says_nothing =
        t == 0 && process.config().prediction == PredictionType::kOrigin;  // of the noise
    grid.push_back({process.at(t), t, process.told(t), !says_nothing});
  }
  return grid;
}

std::vector<GridPoint> step_grid(const Process& process, std::string_view spacing) {
  const DiffusionSchedule& all = *process.schedule();
  std::vector<GridPoint> grid;
  for (const int step : space_timesteps(all.steps(), spacing)) {
    const double t = process.time_of(step);
    grid.push_back({process.at(t), t, process.told(t), true});
  }
  std::ranges::reverse(grid);
  grid.push_back({process.data(), 0, 0, false});
  return grid;
}

StepMemory::StepMemory(const Process& process, const Tensor& x) {
  const Shape& s = x.shape;
  const std::int64_t channels = process.config().out_channels(s[1]);
  of_output_ = static_cast<std::size_t>(channels * s[2] * s[3]);
  out_.resize(static_cast<std::size_t>(s[0]) * of_output_);
  noise_.resize(x.span<float>().size());
  out = view_of(std::span(out_), {s[0], channels, s[2], s[3]});
  noise = view_of(std::span(noise_), s);
}

}  // namespace edt
