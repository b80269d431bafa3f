// The slope of a gate, for host and GPU alike.
#pragma once

#include <cmath>

#include "core/base/host_device.h"

namespace edt {

// Of sigmoid(z / tau).
template <class F>
EDT_HOST_DEVICE inline F gate_slope(F z, F tau) {
  const F soft = F(1) / (F(1) + std::exp(-z / tau));
  return soft * (F(1) - soft) / tau;
}

}  // namespace edt
