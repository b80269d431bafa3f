// The type of the weights that samples are made with, where it is not that of the activations.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/ops/backend.h"
#include "core/ops/weight_hold.h"
#include "core/options/options.h"
#include "model/model.h"

namespace edt {

struct WeightsTypeOptions {
  bool int8 = false;
  bool anywhere = false;  // also on processors for which it is no gain

  void declare(OptionSet& options);
  // UsageError, which begins with what was `said`, where `backend` cannot, or not to any gain.
  void require_possible(Backend& backend, std::string_view said = "--weights-type is int8") const;
  // The bound weights of `model`, as long as the result is held.
  [[nodiscard]] std::vector<WeightHold> apply(Backend& backend, Model& model) const;
  // Where it is not the activations' type.
  void add_facts(nlohmann::ordered_json& facts) const;
  std::string text(DType dtype) const;  // "bf16", "bf16, weights in int8"
};

}  // namespace edt
