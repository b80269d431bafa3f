// Pictures as Inception takes them: 299 pixels to a side, near -1 ... 1. Published evaluators scale
// in different ways, which moves FID by as much as a per cent: a figure has to say which.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/image/image.h"

namespace edt {

enum class InceptionResize : std::uint8_t {
  // ADM's evaluator, whose graph scales as TensorFlow 1: bilinear, source = target * in / out, no
  // antialiasing; then (x - 128) / 128.
  kAdm,
  // pytorch-fid: bilinear between pixel centres, no antialiasing; 2 x / 255 - 1.
  kPytorchFid,
  // clean-fid: Pillow's antialiased bicubic filter on each channel in float32, clipped; then
  // (x - 128) / 128.
  kClean,
};

std::string_view name_of(InceptionResize resize);  // "adm", "pytorch-fid", "clean"
// All of them by their names.
std::vector<std::pair<std::string, InceptionResize>> inception_resizes();

inline constexpr int kInceptionSide = 299;

// out: [299, 299, 3]
void inception_input(const Image& picture, InceptionResize resize, std::span<float> out);

}  // namespace edt
