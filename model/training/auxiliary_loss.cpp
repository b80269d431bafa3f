#include "model/training/auxiliary_loss.h"

#include <cmath>

namespace edt {

double WeightCourse::factor(std::int64_t step) const {
  if (until > 0 && step >= until) return 0;
  if (decay == 0 || step <= decay_from) return 1;
  return std::pow(10.0, -static_cast<double>(step - decay_from) / static_cast<double>(decay));
}

}  // namespace edt
