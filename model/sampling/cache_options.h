// What `edt sample` and its kin are told of caches.
#pragma once

#include <string>
#include <vector>

#include "model/sampling/cache_plan.h"

namespace edt {

class OptionSet;

struct CacheOptions {
  void declare(OptionSet& options);
  // UsageError where the numbers make no cache.
  CacheConfig resolve() const;

 private:
  CacheConfig config_;
  std::vector<std::string> parts_{"attention", "mlp"};
};

}  // namespace edt
