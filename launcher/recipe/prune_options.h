// The section [prune]: masks that learn which heads and hidden units a network can do without.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/options/options.h"
#include "launcher/recipe/optimizer_options.h"
#include "model/auxiliary/auxiliary_config.h"

namespace edt {

struct PruneOptions {
  double target = 0;  // 0: nothing is pruned
  std::vector<std::string> units{"heads", "hidden"};
  SparsityForm form = SparsityForm::kRelu;
  BoundCourse course = BoundCourse::kLate;
  double weight = 1, speed = 8;
  std::int64_t decided_by = 10000;
  double frozen = 0.85, least = 0.15;
  std::int64_t head_multiple = 1, hidden_multiple = 16;

  void declare(OptionSet& options);
  // Throws UsageError where something is said of pruning, and there is no target.
  void validate() const;
  // Whether "heads" or "hidden" may be lost.
  bool prunes(std::string_view kind) const;
  // Nothing: no target.
  std::optional<SparsityConfig> resolve(const ModelConfig& model,
                                        const OptimizerOptions& optimizer) const;
};

}  // namespace edt
