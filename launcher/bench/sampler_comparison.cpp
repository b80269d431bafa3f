#include "launcher/bench/sampler_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/clock.h"

namespace edt {
namespace {

SamplingWay without_cache(SolverKind kind, int steps) {
  return {std::string(name_of(kind)), {.kind = kind, .spacing = std::to_string(steps)}, {}};
}

}  // namespace

std::vector<SamplingWay> ComparedWays::of(const ProcessConfig& process) const {
  std::vector<SamplingWay> all;
  const SolverKind plain = preview_solver(process);
  for (const SolverKind kind : {plain, SolverKind::kDpm}) {
    for (const int count : steps) all.push_back(without_cache(kind, count));
  }
  const auto add = [&](std::string name, const CacheConfig& cache) {
    SamplingWay way = without_cache(plain, cached_steps);
    way.name = std::move(name);
    way.cache = cache;
    way.cache.validate();
    all.push_back(std::move(way));
  };
  for (const int interval : intervals) {
    add(fmt::format("fora {}", interval), {.kind = CacheKind::kFora, .interval = interval});
  }
  for (const int order : orders) {
    for (const int interval : intervals) {
      add(fmt::format("taylor {}, order {}", interval, order),
          {.kind = CacheKind::kTaylor, .interval = interval, .order = order});
    }
  }
  if (orders.empty()) return all;
  for (const int interval : intervals) {
    add(fmt::format("taylor {}, order {}, lite", interval, orders.front()),
        {.kind = CacheKind::kTaylor, .interval = interval, .order = orders.front(), .lite = true});
  }
  return all;
}

CacheConfig ComparedWays::largest_cache() const {
  if (intervals.empty()) return {};
  if (orders.empty()) return {.kind = CacheKind::kFora};
  return {.kind = CacheKind::kTaylor, .order = std::ranges::max(orders)};
}

WayResult SamplerComparison::run_reference(int steps) {
  reference_.clear();
  return run(without_cache(preview_solver(model_.common().process), steps));
}

WayResult SamplerComparison::run(const SamplingWay& way) {
  request_.solver = way.solver;
  request_.cache = way.cache;
  std::vector<float> latents(request_.labels.size() * sampler_.picture_elements());
  const auto begin = Clock::now();
  sampler_.run(request_, latents);
  const double seconds = seconds_since(begin);
  if (reference_.empty()) reference_ = latents;

  WayResult result{.name = way.name};
  result.work = work_of(sampler_, model_, request_);
  result.seconds = seconds / static_cast<double>(request_.labels.size());
  result.distance = relative_distance(latents, reference_);
  if (data_ != nullptr) result.frechet = frechet_of_latents(*data_, latents);
  return result;
}

double frechet_of_latents(const FrechetReference& data, std::span<const float> latents) {
  FeatureMoments moments(data.statistics().width());
  moments.add({latents, moments.width()});
  return data.distance_to(moments.statistics()).value();
}

double relative_distance(std::span<const float> a, std::span<const float> b) {
  double difference = 0, whole = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += std::pow(double{a[i]} - b[i], 2);
    whole += std::pow(double{b[i]}, 2);
  }
  return std::sqrt(difference / whole);
}

}  // namespace edt
