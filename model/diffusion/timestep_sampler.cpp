#include "model/diffusion/timestep_sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/random/stream.h"

namespace edt {
namespace {

// 53 random bits in [0, 1).
double draw(std::uint64_t seed, std::uint32_t step, std::size_t position) {
  const random::Counter words = random::block({.seed = seed,
                                               .purpose = random::Purpose::kTimestep,
                                               .step = step,
                                               .sample = static_cast<std::uint32_t>(position)},
                                              0);
  const std::uint64_t high = words[0] >> 5, low = words[1] >> 6;
  return static_cast<double>(high << 26 | low) * 0x1p-53;
}

class UniformSampler final : public TimestepSampler {
 public:
  explicit UniformSampler(int steps) : steps_(static_cast<std::size_t>(steps)) {}

  std::string_view name() const override { return "uniform"; }
  void update(std::span<const std::int32_t>, std::span<const float>) override {}
  std::span<const double> state() const override { return {}; }
  void restore(std::span<const double> state) override {
    require<CheckpointError>(state.empty(), "uniform timesteps",
                             "the saved history has {} numbers, none are expected", state.size());
  }
  std::vector<double> probabilities() const override {
    return std::vector<double>(steps_, 1.0 / static_cast<double>(steps_));
  }

 private:
  std::size_t steps_;
};

// p(t) ~ sqrt(mean of squared losses) over the last kDepth losses at t, mixed with 0.1 % uniform;
// uniform until every t has kDepth losses (Nichol and Dhariwal, arXiv 2102.09672, section 3.3).
class LossSecondMomentSampler final : public TimestepSampler {
 public:
  explicit LossSecondMomentSampler(int steps)
      : steps_(static_cast<std::size_t>(steps)), state_(steps_ * kRow) {}

  std::string_view name() const override { return "loss-second-moment"; }
  void update(std::span<const std::int32_t> timesteps, std::span<const float> losses) override;
  std::span<const double> state() const override { return state_; }
  void restore(std::span<const double> state) override;
  std::vector<double> probabilities() const override;

 private:
  static constexpr std::size_t kDepth = 10;
  static constexpr std::size_t kRow = 1 + kDepth;  // count, then losses, oldest first
  static constexpr double kUniformShare = 0.001;

  bool warm() const;

  std::size_t steps_;
  std::vector<double> state_;
};

void LossSecondMomentSampler::update(std::span<const std::int32_t> timesteps,
                                     std::span<const float> losses) {
  EDT_ASSERT(timesteps.size() == losses.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const auto t = static_cast<std::size_t>(timesteps[i]);
    EDT_ASSERT(t < steps_ && std::isfinite(losses[i]));
    const auto row = std::span(state_).subspan(t * kRow, kRow);
    const auto history = row.subspan(1);
    if (row[0] == kDepth) {
      std::shift_left(history.begin(), history.end(), 1);
      history.back() = losses[i];
    } else {
      history[static_cast<std::size_t>(row[0])] = losses[i];
      row[0] += 1;
    }
  }
}

void LossSecondMomentSampler::restore(std::span<const double> state) {
  constexpr std::string_view where = "loss-second-moment timesteps";
  require<CheckpointError>(state.size() == state_.size(), where,
                           "the saved history has {} numbers, {} are expected", state.size(),
                           state_.size());
  for (std::size_t t = 0; t < steps_; ++t) {
    const double count = state[t * kRow];
    require<CheckpointError>(count >= 0 && count <= kDepth && count == std::floor(count), where,
                             "timestep {} has {} losses, must be 0 to {}", t, count, kDepth);
    for (std::size_t i = 1; i < kRow; ++i) {
      require<CheckpointError>(std::isfinite(state[t * kRow + i]), where,
                               "timestep {} has the loss {}", t, state[t * kRow + i]);
    }
  }
  std::ranges::copy(state, state_.begin());
}

bool LossSecondMomentSampler::warm() const {
  for (std::size_t t = 0; t < steps_; ++t) {
    if (state_[t * kRow] != kDepth) return false;
  }
  return true;
}

std::vector<double> LossSecondMomentSampler::probabilities() const {
  const double uniform = 1.0 / static_cast<double>(steps_);
  std::vector<double> p(steps_, uniform);
  if (!warm()) return p;
  for (std::size_t t = 0; t < steps_; ++t) {
    double squares = 0;
    for (std::size_t i = 1; i < kRow; ++i) squares += state_[t * kRow + i] * state_[t * kRow + i];
    p[t] = std::sqrt(squares / kDepth);
  }
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  if (sum == 0) return std::vector<double>(steps_, uniform);
  for (double& each : p) each = each / sum * (1 - kUniformShare) + kUniformShare * uniform;
  return p;
}

}  // namespace

void TimestepSampler::sample(std::uint64_t seed, std::uint32_t step,
                             std::span<std::int32_t> timesteps, std::span<float> weights) const {
  EDT_ASSERT(timesteps.size() == weights.size());
  const std::vector<double> p = probabilities();
  std::vector<double> cumulative(p.size());
  std::partial_sum(p.begin(), p.end(), cumulative.begin());
  const auto steps = static_cast<double>(p.size());
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const double u = draw(seed, step, i) * cumulative.back();
    const auto found = std::upper_bound(cumulative.begin(), cumulative.end() - 1, u);
    const auto t = static_cast<std::size_t>(found - cumulative.begin());
    timesteps[i] = static_cast<std::int32_t>(t);
    weights[i] = static_cast<float>(1 / (steps * p[t]));
  }
}

std::unique_ptr<TimestepSampler> make_timestep_sampler(std::string_view name, int steps) {
  if (name == "uniform") return std::make_unique<UniformSampler>(steps);
  if (name == "loss-second-moment") return std::make_unique<LossSecondMomentSampler>(steps);
  fail<UsageError>("timesteps", "sampler is '{}', must be uniform or loss-second-moment", name);
}

}  // namespace edt
