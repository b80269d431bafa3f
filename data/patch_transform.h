// Pictures to latents and back by a fixed orthogonal transform of 8x8 patches. Of its 192
// coefficients four are kept: mean brightness, its slopes across and down, and mean orange-to-blue.
// Or sixteen, with which edges stay sharp: ten of brightness, up to the third frequency, five of
// orange-to-blue, and the mean of the third colour.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "core/image/image.h"
#include "data/description.h"

namespace edt::data {

class PatchTransform {
 public:
  static constexpr int kPatch = 8;
  static constexpr int kFew = 4, kMany = 16;  // channels

  // Coefficients are shifted and scaled so that those of the synthetic pictures of this size have
  // mean 0 and variance 1 per channel.
  explicit PatchTransform(int image_size, int channels = kFew);

  int image_size() const { return image_size_; }
  int latent_size() const { return image_size_ / kPatch; }
  int channels() const { return static_cast<int>(basis_.size()); }

  // Latent [channels, size / 8, size / 8].
  void encode(const Image& image, std::span<float> latent) const;

  // The inverse on what is kept, as it is stored in data sets.
  LinearDecoder decoder() const;

 private:
  static constexpr int kValues = kPatch * kPatch * 3;
  using Row = std::array<float, kValues>;
  static std::vector<Row> make_basis(int channels);
  // Adds the coefficients of a patch to `sums`.
  void transform(const Image& image, int left, int top, std::span<float> sums) const;

  int image_size_;
  std::vector<Row> basis_;               // for each channel
  std::vector<float> mean_, deviation_;  // per channel, of raw coefficients
};

}  // namespace edt::data
