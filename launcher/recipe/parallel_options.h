// The section [parallel]: how the ranks of a job share the work.
#pragma once

#include <cstdint>

#include "core/options/options.h"
#include "parallel/zero/zero_config.h"

namespace edt {

struct ParallelOptions {
  int tensor = 1;  // ranks that hold one model together
  ZeroStage zero = ZeroStage::kOptimizer;
  int shard_ranks = 0;  // 0: all data ranks
  bool share_weights = false;
  bool overlap = true;
  std::int64_t bucket_mib = 8;
  int weight_prefetch = 2;
  Wire reduce_dtype = Wire::kExact;
  bool error_feedback = false;

  void declare(OptionSet& options);
  ZeroConfig resolve() const;
};

}  // namespace edt
