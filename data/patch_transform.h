// Pictures to latents and back by a fixed orthogonal transform of 8x8 patches. Of its 192
// coefficients four are kept: mean brightness, its slopes across and down, and mean orange-to-blue.
#pragma once

#include <span>
#include <vector>

#include "core/image/image.h"
#include "data/description.h"

namespace edt::data {

class PatchTransform {
 public:
  static constexpr int kPatch = 8;
  static constexpr int kChannels = 4;

  // Coefficients are shifted and scaled so that those of the synthetic pictures of this size have
  // mean 0 and variance 1 per channel.
  explicit PatchTransform(int image_size);

  int image_size() const { return image_size_; }
  int latent_size() const { return image_size_ / kPatch; }

  // Latent [4, size / 8, size / 8].
  void encode(const Image& image, std::span<float> latent) const;

  // The inverse on what is kept, as it is stored in data sets.
  LinearDecoder decoder() const;

 private:
  int image_size_;
  std::vector<float> mean_, deviation_;  // per channel, of raw coefficients
};

}  // namespace edt::data
