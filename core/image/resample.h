// Pictures scaled as Pillow 13 scales them, bit for bit: weights in double, rounded to 22
// fractional bits; rows first, rounded to 8 bits, then columns; where the height shrinks by more
// than twice as many pixels as the width, columns first. Older ones always took rows first, which
// is a difference of 1 in some values of such pictures (Pillow src/libImaging/Resample.c).
#pragma once

#include <cstdint>

#include "core/image/image.h"

namespace edt {

enum class Filter : std::uint8_t { kBox, kBicubic, kLanczos };

// A part of the scaled picture, in its pixels.
struct ImageWindow {
  std::int64_t left = 0, top = 0;
  int width = 0, height = 0;
};

// `image` scaled to width x height, of which only the window is made: time and memory are those of
// the window, however large the whole would be.
Image resample(const Image& image, std::int64_t width, std::int64_t height, Filter filter,
               const ImageWindow& window);
Image resample(const Image& image, int width, int height, Filter filter);

// The middle square of `size` pixels as ADM, DiT and EDT cut it: halved with the box filter while
// the shorter side is at least twice `size`, then scaled to it with the bicubic one
// (openai/guided-diffusion@22e0df8, guided_diffusion/image_datasets.py, center_crop_arr).
Image centre_crop(Image image, int size);

}  // namespace edt
