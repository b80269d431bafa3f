#include "data/decoder.h"

#include <algorithm>

#include "core/base/assert.h"
#include "data/colour.h"

namespace edt::data {

Decoder::Decoder(const Description& description, bool normalized)
    : linear_(description.decoder),
      channels_(description.channels),
      height_(description.height),
      width_(description.width),
      patch_(linear_.present() ? linear_.patch
                               : std::max(1, description.image_size / description.height)),
      scale_(static_cast<std::size_t>(channels_), 1.f),
      shift_(static_cast<std::size_t>(channels_), 0.f) {
  if (!normalized) return;
  for (std::size_t c = 0; c < scale_.size(); ++c) {
    scale_[c] = static_cast<float>(description.channel_std[c]);
    shift_[c] = static_cast<float>(description.channel_mean[c]);
  }
}

void Decoder::decode_patch(std::span<const float> z, Image& image, int left, int top) const {
  constexpr float kFalseColourGain = 48.f;  // unit variance: +-2.6 sigma fill the range
  for (int y = 0; y < patch_; ++y) {
    for (int x = 0; x < patch_; ++x) {
      std::uint8_t* pixel = image.pixel(left + x, top + y);
      for (int colour = 0; colour < 3; ++colour) {
        if (!linear_.present()) {
          const int channel = std::min(colour, channels_ - 1);
          pixel[colour] = to_byte(128.f + kFalseColourGain * z[static_cast<std::size_t>(channel)]);
          continue;
        }
        const auto row = static_cast<std::size_t>((y * patch_ + x) * 3 + colour);
        float value = linear_.bias[row];
        for (std::size_t c = 0; c < z.size(); ++c)
          value += linear_.matrix[row * z.size() + c] * z[c];
        pixel[colour] = to_byte(value);
      }
    }
  }
}

Image Decoder::decode(std::span<const float> latent, int height, int width) const {
  const std::size_t plane = static_cast<std::size_t>(height) * width;
  EDT_ASSERT(latent.size() == plane * static_cast<std::size_t>(channels_));
  Image image(width * patch_, height * patch_);
  if (is_false_colour()) image.comment = kFalseColours;
  std::vector<float> z(static_cast<std::size_t>(channels_));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const std::size_t at = static_cast<std::size_t>(y) * width + x;
      for (std::size_t c = 0; c < z.size(); ++c)
        z[c] = latent[c * plane + at] * scale_[c] + shift_[c];
      decode_patch(z, image, x * patch_, y * patch_);
    }
  }
  return image;
}

std::vector<Image> Decoder::decode_all(std::span<const float> latents) const {
  const std::size_t size = static_cast<std::size_t>(channels_) * height_ * width_;
  EDT_ASSERT(latents.size() % size == 0);
  std::vector<Image> images;
  for (std::size_t i = 0; i < latents.size() / size; ++i) {
    images.push_back(decode(latents.subspan(i * size, size), height_, width_));
  }
  return images;
}

}  // namespace edt::data
