#include "model/sampling/cache_plan.h"

#include "core/base/assert.h"
#include "core/base/error.h"

namespace edt {

std::vector<std::string> CacheConfig::parts() const {
  if (lite) return {"body"};
  std::vector<std::string> all;
  if (attention) all.emplace_back("attention");
  if (mlp) all.emplace_back("mlp");
  return all;
}

void CacheConfig::validate() const {
  if (kind == CacheKind::kNone) return;
  const auto require_range = [](const char* name, int value, int least, int most) {
    require<UsageError>(least <= value && value <= most, "sample", "{} is {}, must be {} to {}",
                        name, value, least, most);
  };
  require_range("cache-interval", interval, 1, 1000);
  require_range("cache-order", order, 0, 8);
  require_range("cache-warmup", warmup, 1, 1000);
  require<UsageError>(lite || attention || mlp, "sample", "cache-parts names nothing to be cached");
}

bool CacheSchedule::next(bool forced) {
  EDT_ASSERT(left_ > 0);
  --left_;
  bool whole = forced || !config_.is_on() || done_ == 0;
  if (config_.kind == CacheKind::kFora) whole = whole || left_ % config_.interval == 0;
  if (config_.kind == CacheKind::kTaylor) {
    whole = whole || done_ < config_.warmup || since_ + 1 == config_.interval;
  }
  ++done_;
  since_ = whole ? 0 : since_ + 1;
  return whole;
}

std::vector<double> taylor_coefficients(int kept, int ahead) {
  std::vector<double> all{1};
  for (int k = 1; k < kept; ++k) all.push_back(all.back() * -ahead / k);
  return all;
}

}  // namespace edt
