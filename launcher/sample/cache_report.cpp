#include "launcher/sample/cache_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "launcher/text/report.h"
#include "model/auxiliary/flop_target.h"
#include "model/plan/gemms.h"

namespace edt {

RowMacs::RowMacs(const ModelConfig& model, const CacheConfig& cache)
    : whole(total_macs(forward_gemms(model, 1))),
      cached(cache.is_on() ? total_macs(cached_forward_gemms(model, cache)) : whole) {}

SamplingWork work_of(const PictureSampler& sampler, const ModelConfig& model,
                     const PictureRequest& request) {
  SamplingWork work;
  CacheUse use;
  if (const BranchCache* cache = sampler.cache()) {
    use = cache->use();
    work.cache_bytes = cache->peak_bytes();
  } else {
    use.steps = use.whole_steps =
        make_solver(Process(model.common().process), request.solver)->steps();
    use.rows = use.whole_rows = sampler.rows_asked();
  }
  work.steps = use.steps;
  work.whole_steps = use.whole_steps;
  double macs = RowMacs(model, request.cache).of(use);
  if (request.narrow && model.common().gates.is_on()) {
    const double shut = 1 - sampler.gated_share();
    macs -= shut * static_cast<double>(use.whole_rows) * gated_products(model);
  }
  work.gmac = macs / 1e9 / static_cast<double>(request.batch);
  return work;
}

CacheReport::CacheReport(const BranchCache& cache, const ModelConfig& model, std::int64_t pictures)
    : use_(cache.use()) {
  add(cache, model, pictures);
}

void CacheReport::add(const BranchCache& cache, const ModelConfig& model, std::int64_t pictures) {
  const RowMacs row(model, cache.config());
  const double each = 1e9 * static_cast<double>(pictures);
  gmac_ += row.of(cache.use()) / each;
  gmac_without_ += static_cast<double>(cache.use().rows) * row.whole / each;
  bytes_ += cache.peak_bytes();
}

std::string CacheReport::text() const {
  return fmt::format(
      "the cache left {} of {} steps to compute, {:.4g} of {:.4g} GMAC a picture: {} spared, {} "
      "kept",
      use_.whole_steps, use_.steps, gmac_, gmac_without_, human_percent(1 - gmac_ / gmac_without_),
      human_bytes(static_cast<double>(bytes_)));
}

nlohmann::ordered_json CacheReport::json() const {
  return {{"steps", use_.steps},
          {"whole_steps", use_.whole_steps},
          {"gmac_per_picture", gmac_},
          {"gmac_per_picture_without", gmac_without_},
          {"bytes", bytes_}};
}

}  // namespace edt
