// The functions of PictureActivation in double.
#pragma once

#include <cmath>

#include "core/ops/picture/activation.h"

namespace edt {

inline double activated(PictureActivation activation, double x) {
  switch (activation) {
    case PictureActivation::kRelu:
      return x > 0 ? x : 0;
    case PictureActivation::kSilu:
      return x / (1 + std::exp(-x));
    default:
      return x;
  }
}

}  // namespace edt
