// What the ops of pictures may do to a result before it is stored.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

#include "core/base/host_device.h"

namespace edt {

enum class PictureActivation : std::uint8_t { kNone, kRelu, kSilu };

constexpr std::string_view name_of(PictureActivation activation) {
  switch (activation) {
    case PictureActivation::kRelu:
      return "relu";
    case PictureActivation::kSilu:
      return "silu";
    default:
      return "none";
  }
}

}  // namespace edt
