#include "launcher/memorisation/draws.h"

#include <algorithm>

#include "core/random/stream.h"

namespace edt {
namespace {

// What the streams of a draw are for.
enum Part : std::uint32_t { kWhich = 1'000'000, kNoise };

random::StreamKey stream(std::uint64_t seed, Part part, std::size_t draw) {
  return {seed, random::Purpose::kEvaluation, part, static_cast<std::uint32_t>(draw)};
}

}  // namespace

std::vector<double> noise_levels(const Process& process, int levels) {
  std::vector<double> times;
  for (int i = 0; i < levels; ++i) {
    const double t = (i + 0.5) / levels;
    times.push_back(
        process.steps() > 0 ? process.time_of(static_cast<std::int32_t>(t * process.steps())) : t);
  }
  return times;
}

std::vector<Draw> make_draws(const DrawOptions& options, const std::vector<std::uint64_t>& trained,
                             bool flipped) {
  std::vector<Draw> draws(static_cast<std::size_t>(options.levels * options.per_level));
  for (std::size_t i = 0; i < draws.size(); ++i) {
    std::array<float, 3> u;  // 48 bits for the place
    random::fill_uniform(stream(options.seed, kWhich, i), u);
    const double place =
        (double{u[0]} + 0x1p-24 * double{u[1]}) * static_cast<double>(trained.size());
    draws[i].level = i / static_cast<std::size_t>(options.per_level);
    draws[i].sample.index = trained[std::min(static_cast<std::size_t>(place), trained.size() - 1)];
    draws[i].sample.flipped = flipped && u[2] < 0.5f;
  }
  return draws;
}

NoisedDraws noised(const std::vector<Draw>& draws, std::size_t first, std::size_t count,
                   const std::vector<double>& levels, const Process& process,
                   const data::Dataset& dataset, std::uint64_t seed) {
  const auto width = static_cast<std::size_t>(dataset.description().latent_elements());
  NoisedDraws result{std::vector<float>(count * width), std::vector<float>(count * width),
                     std::vector<float>(count * width), std::vector<double>(count),
                     std::vector<std::int32_t>(count)};
  std::vector<data::SampleRef> refs;
  for (std::size_t i = 0; i < count; ++i) refs.push_back(draws[first + i].sample);
  data::ReadScratch scratch;
  dataset.read(refs, seed, scratch, result.x_0, result.labels);
  for (std::size_t i = 0; i < count; ++i) {
    result.t[i] = levels[draws[first + i].level];
    const PathPoint p = process.at(result.t[i]);
    const auto row = [&](std::vector<float>& values) {
      return std::span(values).subspan(i * width, width);
    };
    random::fill_normal(stream(seed, kNoise, first + i), row(result.noise));
    for (std::size_t k = 0; k < width; ++k) {
      row(result.x_t)[k] =
          static_cast<float>(p.alpha * row(result.x_0)[k] + p.sigma * row(result.noise)[k]);
    }
  }
  return result;
}

}  // namespace edt
