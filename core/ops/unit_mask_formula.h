// The factor of a unit and its slope, for host and GPU alike, float or double.
#pragma once

#include "core/base/host_device.h"

namespace edt {

// Without the scale.
template <class F>
EDT_HOST_DEVICE inline F mask_factor(F w, F bound) {
  if (bound < 0 || w > bound) return F(1);
  if (w <= -bound) return F(0);
  if (w <= 0) return (w + bound) * (w + bound) / (2 * bound * bound);
  return F(1) - (bound - w) * (bound - w) / (2 * bound * bound);
}

template <class F>
EDT_HOST_DEVICE inline F mask_slope(F w, F bound) {
  if (bound <= 0 || w > bound || w <= -bound) return F(0);
  return (w <= 0 ? w + bound : bound - w) / (bound * bound);
}

// Whether sparsity pulls at it.
template <class F>
EDT_HOST_DEVICE inline bool within_band(F w, F bound) {
  return w > -bound && w < bound;
}

}  // namespace edt
