// What a cache of branches has spared, in words and for scripts.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "model/families/model_config.h"
#include "model/sampling/branch_cache.h"
#include "model/sampling/picture_sampler.h"

namespace edt {

// The multiply-accumulates of a row that is computed, and of one for which a cache stands.
struct RowMacs {
  double whole = 0, cached = 0;

  RowMacs(const ModelConfig& model, const CacheConfig& cache);
  double of(const CacheUse& use) const {
    const auto rows = static_cast<double>(use.rows), computed = static_cast<double>(use.whole_rows);
    return computed * whole + (rows - computed) * cached;
  }
};

// What a batch of pictures has taken.
struct SamplingWork {
  int steps = 0, whole_steps = 0;  // whole: those that a cache left to compute
  double gmac = 0;                 // of a picture
  std::size_t cache_bytes = 0;     // of the batch
};
// Of the last one of `request`; the model guides itself, or nobody does.
SamplingWork work_of(const PictureSampler& sampler, const ModelConfig& model,
                     const PictureRequest& request);

class CacheReport {
 public:
  // Of the last of its batches, of so many pictures.
  CacheReport(const BranchCache& cache, const ModelConfig& model, std::int64_t pictures);
  // Adds what another one has spared for the same pictures: that of the network that guides.
  void add(const BranchCache& cache, const ModelConfig& model, std::int64_t pictures);

  std::string text() const;
  nlohmann::ordered_json json() const;

 private:
  CacheUse use_;
  double gmac_ = 0, gmac_without_ = 0;  // of a picture
  std::size_t bytes_ = 0;
};

}  // namespace edt
