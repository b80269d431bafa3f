#include "model/diffusion/time_sampler.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/random/normal.h"
#include "core/random/stream.h"

namespace edt {
namespace {

constexpr int kBins = 1000;  // of losses, where any time can be drawn

// Of a sample: two numbers of 53 random bits in [0, 1), and a normal one.
struct Draw {
  double first, second, normal;

  Draw(std::uint64_t seed, std::uint32_t step, std::size_t position) {
    const random::Counter words = random::block({.seed = seed,
                                                 .purpose = random::Purpose::kTimestep,
                                                 .step = step,
                                                 .sample = static_cast<std::uint32_t>(position)},
                                                0);
    first = of(words[0], words[1]);
    second = of(words[2], words[3]);
    normal = random::box_muller(words[0], words[1])[0];
  }

 private:
  static double of(std::uint32_t a, std::uint32_t b) {
    const std::uint64_t high = a >> 5, low = b >> 6;
    return static_cast<double>(high << 26 | low) * 0x1p-53;
  }
};

// Of a law without a history.
class Memoryless : public TimeSampler {
 public:
  void update(std::span<const double>, std::span<const float>) override {}
  std::span<const double> state() const override { return {}; }
  void restore(std::span<const double> state) override {
    require<CheckpointError>(state.empty(), fmt::format("{} timesteps", name()),
                             "the saved history has {} numbers, none are expected", state.size());
  }
};

// One draw, and which of `batch` it is.
using TimeOf = double (*)(const TimeLaw&, const Draw&, std::size_t position, std::size_t batch);

double uniform_time(const TimeLaw&, const Draw& draw, std::size_t, std::size_t) {
  return draw.first;
}

// Each of as many equal parts of [0, 1] as there are samples has one. Neighbours in the batch are
// far apart, so that every micro-batch has early and late times.
double stratified_time(const TimeLaw&, const Draw& draw, std::size_t position, std::size_t batch) {
  auto stride =
      static_cast<std::size_t>(std::lround(static_cast<double>(batch) / std::numbers::phi));
  while (std::gcd(stride, batch) != 1) ++stride;
  const std::size_t part = position * stride % batch;
  return (static_cast<double>(part) + draw.first) / static_cast<double>(batch);
}

double logit_normal_time(const TimeLaw& law, const Draw& draw, std::size_t, std::size_t) {
  return logit_normal(draw.normal, law.mean, law.deviation);
}

// t is a function of the draw alone; of a discrete process it is the step that it falls into.
class Drawn final : public Memoryless {
 public:
  Drawn(std::string_view name, TimeOf time, const TimeLaw& law, int steps)
      : name_(name), time_(time), law_(law), steps_(steps) {}

  std::string_view name() const override { return name_; }
  void sample(std::uint64_t seed, std::uint32_t step, std::span<double> t,
              std::span<float> weights) const override {
    for (std::size_t i = 0; i < t.size(); ++i) {
      t[i] = shifted(time_(law_, Draw(seed, step, i), i, t.size()), law_.shift);
      if (steps_ > 0) t[i] = std::min(std::floor(t[i] * steps_), steps_ - 1.0) / steps_;
    }
    std::ranges::fill(weights, 1.f);
  }

 private:
  std::string_view name_;
  TimeOf time_;
  TimeLaw law_;
  int steps_;
};

// One of `bins` with its probability: of a discrete process its step, else a time inside it.
void sample_bins(const std::vector<double>& p, bool is_discrete, std::uint64_t seed,
                 std::uint32_t step, std::span<double> times, std::span<float> weights) {
  EDT_ASSERT(times.size() == weights.size());
  std::vector<double> cumulative(p.size());
  std::partial_sum(p.begin(), p.end(), cumulative.begin());
  const auto bins = static_cast<double>(p.size());
  for (std::size_t i = 0; i < times.size(); ++i) {
    const Draw draw(seed, step, i);
    const double u = draw.first * cumulative.back();
    const auto found = std::upper_bound(cumulative.begin(), cumulative.end() - 1, u);
    const auto bin = static_cast<std::size_t>(found - cumulative.begin());
    times[i] = (static_cast<double>(bin) + (is_discrete ? 0 : draw.second)) / bins;
    weights[i] = static_cast<float>(1 / (bins * p[bin]));
  }
}

// Of the steps of a discrete process.
class UniformSteps final : public Memoryless {
 public:
  explicit UniformSteps(int steps) : steps_(static_cast<std::size_t>(steps)) {}

  std::string_view name() const override { return "uniform"; }
  void sample(std::uint64_t seed, std::uint32_t step, std::span<double> t,
              std::span<float> weights) const override {
    sample_bins(probabilities(), true, seed, step, t, weights);
  }
  std::vector<double> probabilities() const override {
    return std::vector<double>(steps_, 1.0 / static_cast<double>(steps_));
  }

 private:
  std::size_t steps_;
};

// p(bin) ~ sqrt(mean of squared losses) over the last kDepth losses there, mixed with 0.1 %
// uniform; uniform until every bin has kDepth losses (Nichol and Dhariwal, arXiv 2102.09672,
// section 3.3).
class LossSecondMoment final : public TimeSampler {
 public:
  explicit LossSecondMoment(int steps)
      : is_discrete_(steps > 0),
        bins_(static_cast<std::size_t>(steps > 0 ? steps : kBins)),
        state_(bins_ * kRow) {}

  std::string_view name() const override { return "loss-second-moment"; }
  void sample(std::uint64_t seed, std::uint32_t step, std::span<double> t,
              std::span<float> weights) const override {
    sample_bins(probabilities(), is_discrete_, seed, step, t, weights);
  }
  void update(std::span<const double> t, std::span<const float> losses) override;
  std::span<const double> state() const override { return state_; }
  void restore(std::span<const double> state) override;
  std::vector<double> probabilities() const override;

 private:
  static constexpr std::size_t kDepth = 10;
  static constexpr std::size_t kRow = 1 + kDepth;  // count, then losses, oldest first
  static constexpr double kUniformShare = 0.001;

  std::size_t bin_of(double t) const;
  bool warm() const;

  bool is_discrete_;
  std::size_t bins_;
  std::vector<double> state_;
};

std::size_t LossSecondMoment::bin_of(double t) const {
  const double place = t * static_cast<double>(bins_);
  if (is_discrete_) return static_cast<std::size_t>(std::lround(place));
  return std::min(static_cast<std::size_t>(place), bins_ - 1);
}

void LossSecondMoment::update(std::span<const double> t, std::span<const float> losses) {
  EDT_ASSERT(t.size() == losses.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const std::size_t bin = bin_of(t[i]);
    EDT_ASSERT(bin < bins_ && std::isfinite(losses[i]));
    const auto row = std::span(state_).subspan(bin * kRow, kRow);
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

void LossSecondMoment::restore(std::span<const double> state) {
  constexpr std::string_view where = "loss-second-moment timesteps";
  require<CheckpointError>(state.size() == state_.size(), where,
                           "the saved history has {} numbers, {} are expected", state.size(),
                           state_.size());
  for (std::size_t bin = 0; bin < bins_; ++bin) {
    const double count = state[bin * kRow];
    require<CheckpointError>(count >= 0 && count <= kDepth && count == std::floor(count), where,
                             "timestep {} has {} losses, must be 0 to {}", bin, count, kDepth);
    for (std::size_t i = 1; i < kRow; ++i) {
      require<CheckpointError>(std::isfinite(state[bin * kRow + i]), where,
                               "timestep {} has the loss {}", bin, state[bin * kRow + i]);
    }
  }
  std::ranges::copy(state, state_.begin());
}

bool LossSecondMoment::warm() const {
  for (std::size_t bin = 0; bin < bins_; ++bin) {
    if (state_[bin * kRow] != kDepth) return false;
  }
  return true;
}

std::vector<double> LossSecondMoment::probabilities() const {
  const double uniform = 1.0 / static_cast<double>(bins_);
  std::vector<double> p(bins_, uniform);
  if (!warm()) return p;
  for (std::size_t bin = 0; bin < bins_; ++bin) {
    double squares = 0;
    for (std::size_t i = 1; i < kRow; ++i) {
      squares += state_[bin * kRow + i] * state_[bin * kRow + i];
    }
    p[bin] = std::sqrt(squares / kDepth);
  }
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  if (sum == 0) return std::vector<double>(bins_, uniform);
  for (double& each : p) each = each / sum * (1 - kUniformShare) + kUniformShare * uniform;
  return p;
}

std::unique_ptr<TimeSampler> lasting_sampler(const TimeLaw& law, int steps) {
  switch (law.sampling) {
    case TimeSampling::kLossSecondMoment:
      require<UsageError>(law.shift == 1, "timesteps",
                          "times that follow the losses are not shifted, the shift is {}",
                          law.shift);
      return std::make_unique<LossSecondMoment>(steps);
    case TimeSampling::kUniform:
      if (steps > 0 && law.shift == 1) return std::make_unique<UniformSteps>(steps);
      return std::make_unique<Drawn>("uniform", uniform_time, law, steps);
    case TimeSampling::kStratified:
      return std::make_unique<Drawn>("stratified", stratified_time, law, steps);
    case TimeSampling::kLogitNormal:
      return std::make_unique<Drawn>("logit-normal", logit_normal_time, law, steps);
  }
  EDT_ASSERT(false);
  return nullptr;
}

// One law up to a step, then uniform times.
class Until final : public TimeSampler {
 public:
  Until(std::unique_ptr<TimeSampler> first, std::unique_ptr<TimeSampler> then, std::int64_t until)
      : first_(std::move(first)), then_(std::move(then)), until_(until) {}

  std::string_view name() const override { return first_->name(); }
  void sample(std::uint64_t seed, std::uint32_t step, std::span<double> t,
              std::span<float> weights) const override {
    (step < until_ ? first_ : then_)->sample(seed, step, t, weights);
  }
  void update(std::span<const double> t, std::span<const float> losses) override {
    first_->update(t, losses);
  }
  std::span<const double> state() const override { return first_->state(); }
  void restore(std::span<const double> state) override { first_->restore(state); }
  std::vector<double> probabilities() const override { return first_->probabilities(); }

 private:
  std::unique_ptr<TimeSampler> first_, then_;
  std::int64_t until_;
};

}  // namespace

double shifted(double t, double shift) {
  return shift == 1 ? t : shift * t / (1 + (shift - 1) * t);
}

double logit_normal(double z, double mean, double deviation) {
  return 1 / (1 + std::exp(-(mean + deviation * z)));
}

std::unique_ptr<TimeSampler> make_time_sampler(const TimeLaw& law, int steps) {
  require<UsageError>(law.deviation > 0 && law.shift > 0 && law.until >= 0, "timesteps",
                      "deviation {} and shift {} must be positive, until {} not negative",
                      law.deviation, law.shift, law.until);
  auto sampler = lasting_sampler(law, steps);
  if (law.until == 0) return sampler;
  return std::make_unique<Until>(
      std::move(sampler), lasting_sampler({.sampling = TimeSampling::kUniform}, steps), law.until);
}

}  // namespace edt
