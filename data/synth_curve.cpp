#include "data/synth_curve.h"

#include <array>
#include <cmath>
#include <numbers>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/random/stream.h"

namespace edt::data {

namespace {

constexpr double kCircle = 2 * std::numbers::pi;  // in radians
constexpr std::size_t kConditions = 2;

struct Point {
  double x, y;
};

// Within a circle of radius 1, closed after one turn of `a`.
struct Figure {
  const char* name;
  double pace;  // turns in a frame
  Point (*at)(double a);
};

Point on_ray(double radius, double a) { return {radius * std::cos(a), radius * std::sin(a)}; }

constexpr std::array<Figure, 5> kFigures{{
    {"circle", 1.0 / 32, [](double a) { return on_ray(1, a); }},
    {"eight", 1.0 / 48,
     [](double a) {
       return Point{std::sin(a), 0.8 * std::sin(a) * std::cos(a)};
     }},
    {"clover", 1.0 / 64, [](double a) { return on_ray(std::cos(2 * a), a); }},
    {"spiral", 1.0 / 96, [](double a) { return on_ray(0.6 - 0.4 * std::cos(a), 3 * a); }},
    {"star", 1.0 / 60, [](double a) { return on_ray(0.75 + 0.25 * std::cos(5 * a), a); }},
}};

}  // namespace

const std::vector<std::string>& synth_curve_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Figure& figure : kFigures) list.emplace_back(figure.name);
    return list;
  }();
  return names;
}

void draw_synth_curve(int label, std::uint64_t seed, std::uint32_t sample, std::span<float> values,
                      std::span<float> conditions) {
  require<UsageError>(label >= 0 && label < static_cast<int>(kFigures.size()), "synth",
                      "class {}, there are {}", label, kFigures.size());
  const Figure& figure = kFigures[static_cast<std::size_t>(label)];
  const std::size_t frames = conditions.size() / kConditions;
  EDT_ASSERT(values.size() == frames * kSynthCurveChannels);
  std::array<float, 4> u;
  random::fill_uniform({seed, random::Purpose::kSynthetic, 1, sample}, u);
  const double tilt = 0.1 * kCircle * (u[1] - 0.5), period = 80 + 120.0 * u[2];
  double turns = u[0];
  for (std::size_t i = 0; i < frames; ++i) {
    const double wave = std::sin(kCircle * (static_cast<double>(i) / period + u[3]));
    const double pace = 1 + 0.3 * wave, size = 1 - 0.25 * wave;
    turns += figure.pace * pace;
    const Point at = figure.at(kCircle * turns);
    values[i] = static_cast<float>(size * (at.x * std::cos(tilt) - at.y * std::sin(tilt)));
    values[frames + i] = static_cast<float>(size * (at.x * std::sin(tilt) + at.y * std::cos(tilt)));
    conditions[i * kConditions] = static_cast<float>(pace);
    conditions[i * kConditions + 1] = static_cast<float>(size);
  }
}

}  // namespace edt::data
