#include "data/synth_sequence.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/random/stream.h"

namespace edt::data {

namespace {

constexpr double kTurn = 2 * std::numbers::pi;

struct Kind {
  const char* name;
  double pace;                // steps of one leg in a frame
  double hip, knee;           // swing of the left leg, degrees
  double right_share;         // of it, that of the right one
  double apart;               // of a turn, how far the right leg is behind the left one
  double bounce, sway, lean;  // metres, metres, degrees
};

constexpr std::array<Kind, 6> kKinds{{
    {"walk", 1.0 / 32, 24, 38, 1, 0.5, 0.02, 0.03, 4},
    {"run", 1.0 / 18, 38, 85, 1, 0.5, 0.07, 0.015, 12},
    {"hop", 1.0 / 20, 14, 48, 1, 0, 0.16, 0.01, 2},
    {"limp", 1.0 / 36, 22, 34, 0.35, 0.42, 0.045, 0.06, 8},
    {"skate", 1.0 / 56, 30, 26, 1, 0.5, 0.015, 0.19, 26},
    {"march", 1.0 / 26, 42, 72, 1, 0.5, 0.03, 0.005, 0},
}};

// What varies between the sequences of a kind.
struct Course {
  double start, pace_phase, stress_phase, pace_period, stress_period, pace_depth, stress_depth;
};

Course draw_course(std::uint64_t seed, std::uint32_t sample) {
  std::array<float, 7> u;
  random::fill_uniform({seed, random::Purpose::kSynthetic, 0, sample}, u);
  return {
      u[0], u[1], u[2], 90 + 120.0 * u[3], 70 + 100.0 * u[4], 0.15 + 0.3 * u[5], 0.1 + 0.3 * u[6]};
}

double wave(double turns) { return std::sin(kTurn * turns); }

// A knee bends one way, while its leg swings forward.
double bent(double turns) { return std::max(0.0, std::sin(kTurn * (turns + 0.2))); }

}  // namespace

const std::vector<std::string>& synth_sequence_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    list.reserve(kKinds.size());
    for (const Kind& kind : kKinds) list.emplace_back(kind.name);
    return list;
  }();
  return names;
}

void draw_synth_sequence(int label, std::uint64_t seed, std::uint32_t sample,
                         std::span<float> values, std::span<float> conditions) {
  require<UsageError>(label >= 0 && label < static_cast<int>(kKinds.size()), "synth",
                      "class {}, there are {}", label, kKinds.size());
  const Kind& kind = kKinds[static_cast<std::size_t>(label)];
  const Course course = draw_course(seed, sample);
  const std::size_t frames = conditions.size() / kSynthFrameChannels;
  EDT_ASSERT(values.size() == frames * kSynthSequenceChannels);
  double left = course.start;  // turns of the left leg
  for (std::size_t i = 0; i < frames; ++i) {
    const auto at = static_cast<double>(i);
    const double pace = 1 + course.pace_depth * wave(at / course.pace_period + course.pace_phase);
    const double stress =
        1 + course.stress_depth * wave(at / course.stress_period + course.stress_phase);
    left += kind.pace * pace;
    const double right = left - kind.apart, of_right = stress * kind.right_share;
    const std::array<double, kSynthSequenceChannels> joints{
        kind.lean + stress * kind.hip * wave(left),
        kind.lean + of_right * kind.hip * wave(right),
        stress * kind.knee * bent(left),
        of_right * kind.knee * bent(right),
        0.9 + stress * kind.bounce * wave(kind.apart == 0 ? left : 2 * left),
        stress * kind.sway * wave(left)};
    for (std::size_t c = 0; c < joints.size(); ++c) {
      values[c * frames + i] = static_cast<float>(joints[c]);
    }
    conditions[i * kSynthFrameChannels] = static_cast<float>(pace);
    conditions[i * kSynthFrameChannels + 1] = static_cast<float>(stress);
  }
}

}  // namespace edt::data
