// The section [parallel]: how the ranks of a job share the work.
#pragma once

#include <cstdint>

#include "core/options/options.h"
#include "parallel/zero/zero_config.h"

namespace edt {

struct ParallelOptions {
  int tensor = 1;  // ranks that hold one model together
  ZeroStage zero = ZeroStage::kOptimizer;
  bool overlap = true;
  std::int64_t bucket_mib = 8;
  int weight_prefetch = 2;
  Wire reduce_dtype = Wire::kExact;

  void declare(OptionSet& options);
  ZeroConfig resolve() const;
};

}  // namespace edt
