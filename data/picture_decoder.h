// What makes pictures of latents: a data set's linear decoder, false colours, or an autoencoder.
#pragma once

#include <span>
#include <string_view>
#include <utility>

#include "core/image/image.h"

namespace edt::data {

// Ends the names of single pictures that no decoder made, before ".png".
inline constexpr std::string_view kFalseColoursName = "-false-colours";

class PictureDecoder {
 public:
  virtual ~PictureDecoder() = default;
  // Pictures that no decoder made: they are marked wherever they go.
  virtual bool is_false_colour() const { return false; }
  // Width and height of a picture of latents [C, height, width].
  virtual std::pair<int, int> picture_size(int height, int width) const = 0;
  // One latent [C, height, width] as the model sees it.
  virtual Image decode(std::span<const float> latent, int height, int width) const = 0;
};

}  // namespace edt::data
