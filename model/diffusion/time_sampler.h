// At which time each sample of a batch is trained. Draws are keyed by (seed, step, position in the
// global batch), so every rank can draw the whole batch and get the same.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace edt {

enum class TimeSampling { kUniform, kStratified, kLossSecondMoment, kLogitNormal };

struct TimeLaw {
  TimeSampling sampling = TimeSampling::kLossSecondMoment;
  // Of kLogitNormal: t = 1 / (1 + exp(-z)), z normal with this mean and deviation (Esser et al.,
  // arXiv 2403.03206). A mean above 0 is nearer to noise.
  double mean = 0, deviation = 1;
  // t becomes shift t / (1 + (shift - 1) t); above 1 nearer to noise. Not of kLossSecondMoment.
  double shift = 1;
  std::int64_t until = 0;  // step from which on times are uniform; 0: never
};

// shift t / (1 + (shift - 1) t); t itself where shift is 1.
double shifted(double t, double shift);
// Of a standard normal z.
double logit_normal(double z, double mean, double deviation);

class TimeSampler {
 public:
  virtual ~TimeSampler() = default;

  // Of its history in checkpoints.
  virtual std::string_view name() const = 0;

  // Draws for all positions of the global batch: t in [0, 1]. weights[i] = 1 / (density of t_i)
  // where the law follows the losses: the weighted mean of these is an unbiased estimate of their
  // mean over uniform times. 1 for laws that are meant to be what they are.
  virtual void sample(std::uint64_t seed, std::uint32_t step, std::span<double> t,
                      std::span<float> weights) const = 0;

  // Tells the losses of a step, in the order of the global batch.
  virtual void update(std::span<const double> t, std::span<const float> losses) = 0;

  // All that later draws depend on, for checkpoints. restore() throws CheckpointError when `state`
  // is not what a sampler of this kind and length gave.
  virtual std::span<const double> state() const = 0;
  virtual void restore(std::span<const double> state) = 0;

  // Probability of each of the bins in the next step, where the law is one over bins.
  virtual std::vector<double> probabilities() const { return {}; }
};

// `steps`: of a discrete process, whose times are k / steps; 0: any time. Throws UsageError for a
// law that cannot be.
std::unique_ptr<TimeSampler> make_time_sampler(const TimeLaw& law, int steps);

}  // namespace edt
