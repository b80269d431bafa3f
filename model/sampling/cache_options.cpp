#include "model/sampling/cache_options.h"

#include <algorithm>

#include "core/options/options.h"

namespace edt {

void CacheOptions::declare(OptionSet& options) {
  const std::vector<std::string> any{"fora", "taylor"}, taylor{"taylor"};
  options.add(
      "cache", &config_.kind,
      {{"none", CacheKind::kNone}, {"fora", CacheKind::kFora}, {"taylor", CacheKind::kTaylor}},
      "what branches of blocks gave in earlier steps is taken instead of computed: as it was, "
      "or foretold from its differences (TaylorSeer)");
  options.add("cache-interval", &config_.interval, "steps from one that computes all to the next")
      .range(1, 1000)
      .used_when("cache", any);
  options
      .add("cache-order", &config_.order,
           "differences that are kept of each branch, in float32, beside its value")
      .range(0, 8)
      .used_when("cache", taylor);
  options.add("cache-warmup", &config_.warmup, "first steps that compute all")
      .range(1, 1000)
      .used_when("cache", taylor);
  options
      .add("cache-lite", &config_.lite,
           "what the last block gave is kept, instead of the branches of all")
      .used_when("cache", any);
  options.add("cache-parts", &parts_, "branches that are kept")
      .choices({"attention", "mlp"})
      .used_when("cache", any)
      .used_when("cache-lite", {"off"});
}

CacheConfig CacheOptions::resolve() const {
  CacheConfig config = config_;
  const auto has = [&](const char* part) {
    return std::ranges::find(parts_, part) != parts_.end();
  };
  config.attention = has("attention");
  config.mlp = has("mlp");
  config.validate();
  return config;
}

}  // namespace edt
