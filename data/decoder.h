// Latents to pictures without VAE weights: by the linear decoder of the data set, or, where it has
// none, its first three channels as false colours.
#pragma once

#include <span>
#include <vector>

#include "core/image/image.h"
#include "data/description.h"
#include "data/picture_decoder.h"

namespace edt::data {

// What a picture says of itself that no decoder made.
inline constexpr const char* kFalseColours =
    "false colours: the first three latent channels as red, green and blue";

class Decoder final : public PictureDecoder {
 public:
  // `normalized`: the latents have been normalized by channel_mean and channel_std.
  Decoder(const Description& description, bool normalized);

  bool is_false_colour() const override { return !linear_.present(); }
  std::pair<int, int> picture_size(int height, int width) const override {
    return {width * patch_, height * patch_};
  }
  // One latent [C, H, W], scaled as the model sees it. Any H and W. False colours are called so in
  // the picture's comment.
  Image decode(std::span<const float> latent, int height, int width) const override;
  // Latents [N, C, H, W] of the data set's own size.
  std::vector<Image> decode_all(std::span<const float> latents) const;

 private:
  void decode_patch(std::span<const float> z, Image& image, int left, int top) const;

  LinearDecoder linear_;
  int channels_, height_, width_;
  int patch_;
  std::vector<float> scale_, shift_;  // z = latent * scale + shift, per channel
};

}  // namespace edt::data
