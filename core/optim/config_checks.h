// Ranges shared by the optimizers' hyper-parameters.
#pragma once

#include <cmath>
#include <string_view>

#include "core/base/error.h"

namespace edt {

inline void check_beta(std::string_view where, double beta) {
  require<UsageError>(beta >= 0 && beta < 1, where, "beta is {}, must be in [0, 1)", beta);
}

inline void check_eps_and_decay(std::string_view where, double eps, double weight_decay) {
  require<UsageError>(eps > 0 && std::isfinite(eps), where, "eps is {}, must be positive", eps);
  require<UsageError>(weight_decay >= 0 && std::isfinite(weight_decay), where,
                      "weight decay is {}, must not be negative", weight_decay);
}

}  // namespace edt
