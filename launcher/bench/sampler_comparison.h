// Ways to sample with less work, side by side: what each costs, and how far its pictures are from
// those of many steps on the same noise and from the data.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/sample/cache_report.h"
#include "model/evaluation/frechet.h"
#include "model/families/model_config.h"
#include "model/sampling/picture_sampler.h"

namespace edt {

struct SamplingWay {
  std::string name;  // "euler", "fora 3"
  SolverConfig solver;
  CacheConfig cache;
};

// What is tried.
struct ComparedWays {
  std::vector<int> steps{10, 15, 20, 25, 30, 50};  // without a cache: preview_solver() and dpm++
  int cached_steps = 50;                           // with one, of preview_solver()
  std::vector<int> intervals{2, 3, 4, 5};
  std::vector<int> orders{1, 2};  // of TaylorSeer; its lite form has the first

  std::vector<SamplingWay> of(const ProcessConfig& process) const;
  // Of the caches, the one that takes most memory.
  CacheConfig largest_cache() const;
};

struct WayResult {
  std::string name;
  SamplingWork work;
  double seconds = 0;             // of a picture
  double distance = 0;            // root of the mean square, of the reference's
  std::optional<double> frechet;  // to the data
};

class SamplerComparison {
 public:
  // `request` has labels, guidance and seed; `data`: latents as the model sees them, or none.
  SamplerComparison(PictureSampler& sampler, const ModelConfig& model, PictureRequest request,
                    const FrechetReference* data)
      : sampler_(sampler), model_(model), request_(std::move(request)), data_(data) {}

  // What all others are measured against: `steps` of preview_solver().
  WayResult run_reference(int steps);
  WayResult run(const SamplingWay& way);

 private:
  PictureSampler& sampler_;
  ModelConfig model_;
  PictureRequest request_;
  const FrechetReference* data_;
  std::vector<float> reference_;
};

// Of latents, one picture after the other.
double frechet_of_latents(const FrechetReference& data, std::span<const float> latents);
// sqrt(sum (a - b)^2 / sum b^2)
double relative_distance(std::span<const float> a, std::span<const float> b);

}  // namespace edt
