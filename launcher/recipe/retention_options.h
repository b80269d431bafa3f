// What the options of a run say of the checkpoints that it keeps.
#pragma once

#include <string>

#include "launcher/recipe/train_config.h"
#include "parallel/checkpoint/retention.h"

namespace edt {

// By the names of metrics.jsonl.
inline std::string ranked_by(const RunOptions& options) {
  if (options.keep_best_by == BestBy::kHeldOut) return "held_out_loss";
  if (options.keep_best_by == BestBy::kLoss) return {};
  return options.evaluate_inception.empty() ? "latent_frechet" : "fid";
}

inline Retention retention_of(const RunOptions& options) {
  return {.newest = static_cast<int>(options.keep_checkpoints),
          .every = options.keep_every,
          .best = static_cast<int>(options.keep_best),
          .by = ranked_by(options)};
}

// Saves after which there are as many as ever will be, but for those that are kept for ever.
inline std::size_t saves_until_full(const Retention& retention) {
  return static_cast<std::size_t>(retention.newest + retention.best + 1);
}

}  // namespace edt
