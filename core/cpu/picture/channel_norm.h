// What a norm does to each channel: f((x - mean) * factor + bias).
#pragma once

#include <cstdint>

#include "core/ops/picture/activation.h"

namespace edt {

struct ChannelNorm {
  std::int64_t channels = 0;
  const float *mean = nullptr, *factor = nullptr, *bias = nullptr;  // [channels]
  PictureActivation activation = PictureActivation::kNone;
};

}  // namespace edt
