// What the options of a run say of the checkpoints that it keeps.
#pragma once

#include "launcher/recipe/train_config.h"
#include "parallel/checkpoint/retention.h"

namespace edt {

inline Retention retention_of(const RunOptions& options) {
  return {.newest = static_cast<int>(options.keep_checkpoints),
          .every = options.keep_every,
          .best = static_cast<int>(options.keep_best)};
}

// Saves after which there are as many as ever will be, but for those that are kept for ever.
inline std::size_t saves_until_full(const Retention& retention) {
  return static_cast<std::size_t>(retention.newest + retention.best + 1);
}

}  // namespace edt
