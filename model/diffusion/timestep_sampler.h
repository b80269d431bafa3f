// Which timestep each sample of a batch is trained at. Draws are keyed by (seed, step, position in
// the global batch), so every rank can draw the whole batch and get the same.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace edt {

class TimestepSampler {
 public:
  virtual ~TimestepSampler() = default;

  virtual std::string_view name() const = 0;

  // Draws for all positions of the global batch. weights[i] = 1 / (T p(t_i)) makes the weighted
  // mean of the losses an unbiased estimate of their mean over uniform timesteps.
  void sample(std::uint64_t seed, std::uint32_t step, std::span<std::int32_t> timesteps,
              std::span<float> weights) const;

  // Tells the losses of a step, in the order of the global batch.
  virtual void update(std::span<const std::int32_t> timesteps, std::span<const float> losses) = 0;

  // All that later draws depend on, for checkpoints. restore() throws CheckpointError when `state`
  // is not what a sampler of this kind and length gave.
  virtual std::span<const double> state() const = 0;
  virtual void restore(std::span<const double> state) = 0;

  // Probability of each timestep in the next step.
  virtual std::vector<double> probabilities() const = 0;
};

// "uniform" or "loss-second-moment"; throws UsageError otherwise.
std::unique_ptr<TimestepSampler> make_timestep_sampler(std::string_view name, int steps);

}  // namespace edt
