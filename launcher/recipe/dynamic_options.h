// What training adds to the section [dynamic] (model/families/model_options.h): how gates are
// trained.
#pragma once

#include <optional>

#include "core/options/options.h"
#include "model/auxiliary/auxiliary_config.h"

namespace edt {

struct DynamicOptions {
  double weight = FlopTargetConfig{}.weight, tau = FlopTargetConfig{}.tau;
  std::int64_t warmup = FlopTargetConfig{}.warmup;
  std::int64_t complete_steps = 30000;

  void declare(OptionSet& options);
  // Throws UsageError where something is said of gates, and the model is to have none.
  void validate(bool has_gates) const;
  // Nothing: the model has no gates.
  std::optional<FlopTargetConfig> resolve(const ModelConfig& model) const;
};

}  // namespace edt
