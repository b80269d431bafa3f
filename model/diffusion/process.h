// What a network is trained to undo: how data become noise, and what the network gives and is told.
//
// x_t = alpha(t) x_0 + sigma(t) e for t in [0, 1]: 0 is data, 1 is noise. One direction inside;
// what networks of others are told, and the sign of their velocity, are attributes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "model/diffusion/schedule.h"

namespace edt {

enum class ProcessKind {
  kDdpm,  // the 1000 steps of DiffusionSchedule (Ho et al., arXiv 2006.11239): t = step / 1000
  kFlow   // any t (Ma et al., arXiv 2401.08740)
};
std::string_view name_of(ProcessKind kind);  // "ddpm"
enum class FlowPath { kLinear, kCosine };
enum class PredictionType { kNoise, kOrigin, kVelocity };
enum class Told { kNoise, kData };

struct ProcessConfig {
  ProcessKind kind = ProcessKind::kDdpm;
  PredictionType prediction = PredictionType::kNoise;
  bool learnt_variance = true;  // has an effect where the process has a variance to learn
  // Of flow alone: the path; which end the network calls 1, as the sign of its velocity goes; and
  // what it is told there.
  FlowPath path = FlowPath::kLinear;
  Told told = Told::kData;
  double told_scale = 1;

  static ProcessConfig flow(FlowPath path = FlowPath::kLinear);
  bool discrete() const { return kind == ProcessKind::kDdpm; }
  // Ancestral steps have one, and its bound is a loss of predicted noise.
  bool learns_variance() const {
    return learnt_variance && discrete() && prediction == PredictionType::kNoise;
  }
  // That the network gives for `channels` of a latent: what it predicts, then the variance.
  std::int64_t out_channels(std::int64_t channels) const {
    return learns_variance() ? 2 * channels : channels;
  }
  bool operator==(const ProcessConfig&) const = default;
};
// All that counts of it: "ddpm that predicts noise and variance".
std::string text_of(const ProcessConfig& config);

// A place on the way, and the rates of change by `time`: t of a flow; of DDPM, whose
// alpha^2 + sigma^2 is 1, the angle atan(sigma / alpha).
struct PathPoint {
  double time = 0;
  double alpha = 1, sigma = 0, alpha_rate = 0, sigma_rate = 0;
};

// A value = of_x * x_t + of_out * what the network gave.
struct Mix {
  double of_x = 0, of_out = 0;

  float operator()(float x, float out) const {
    return static_cast<float>(of_x * double{x} + of_out * double{out});
  }
};

class Process {
 public:
  explicit Process(const ProcessConfig& config);

  const ProcessConfig& config() const { return config_; }
  // Of a discrete process, else nullptr.
  const DiffusionSchedule* schedule() const { return schedule_ ? &*schedule_ : nullptr; }
  // Of a discrete process, else 0.
  int steps() const { return schedule_ ? schedule_->steps() : 0; }
  // Of a discrete process: the step that t stands for.
  std::int32_t step(double t) const;
  double time_of(std::int32_t step) const;

  // t of a discrete process is that of a step.
  PathPoint at(double t) const;
  PathPoint at_alpha_bar(double alpha_bar) const;
  // Where only data are left: where sampling ends.
  PathPoint data() const;
  // The noisiest t whose origin can be computed from what the network predicts.
  double noisiest() const;

  // What the network is told of t.
  float told(double t) const;
  // What it should give: first * x_0 + second * e.
  std::pair<double, double> target(double t) const;

  // From what it gave: x_0, the noise, dx/dtime. Not every prediction has all of them at both ends.
  Mix origin(const PathPoint& p) const;
  Mix noise(const PathPoint& p) const;
  Mix velocity(const PathPoint& p) const;

  // Min-SNR weight of the squared error of what is predicted (Hang et al., arXiv 2303.09556) for a
  // discrete process; gamma 0: 1.
  double snr_weight(double t, double gamma) const;

 private:
  double sign() const;  // of the network's velocity

  ProcessConfig config_;
  std::optional<DiffusionSchedule> schedule_;
};

}  // namespace edt
