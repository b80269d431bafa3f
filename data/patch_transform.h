// Pictures to latents and back by a fixed orthogonal transform of square patches, 4 or 8 pixels
// wide. Four coefficients are kept: mean brightness, its slopes across and down, and mean
// orange-to-blue. Or sixteen, with which edges stay sharp: ten of brightness, up to the third
// frequency, five of orange-to-blue, and the mean of the third colour.
#pragma once

#include <span>
#include <vector>

#include "core/image/image.h"
#include "data/description.h"

namespace edt::data {

class PatchTransform {
 public:
  static constexpr int kSmall = 4, kLarge = 8;  // patches
  static constexpr int kFew = 4, kMany = 16;    // channels

  // Coefficients are shifted and scaled so that those of the synthetic pictures of this size have
  // mean 0 and, of four channels, variance 1. Of sixteen each keeps the root of its deviation, and
  // the mean of their variances is 1: with equal variances a model would spend itself on details.
  // `of_captions`: of those that captions describe, which differ less from each other.
  explicit PatchTransform(int image_size, int channels = kFew, int patch = kLarge,
                          bool of_captions = false);

  int image_size() const { return image_size_; }
  int patch() const { return patch_; }
  int latent_size() const { return image_size_ / patch_; }
  int channels() const { return static_cast<int>(basis_.size()); }

  // Latent [channels, latent_size(), latent_size()].
  void encode(const Image& image, std::span<float> latent) const;

  // Deviation of each channel over the synthetic pictures.
  std::vector<double> channel_std() const;

  // The inverse on what is kept, as it is stored in data sets.
  LinearDecoder decoder() const;

 private:
  using Row = std::vector<float>;  // of the values of a patch, RGB interleaved
  static std::vector<Row> make_basis(int channels, int patch);
  // Adds the coefficients of a patch to `sums`.
  void transform(const Image& image, int left, int top, std::span<float> sums) const;

  int image_size_, patch_;
  std::vector<Row> basis_;               // for each channel
  std::vector<float> mean_, deviation_;  // per channel, of raw coefficients
  std::vector<float> unit_;              // per channel: raw coefficients that are 1 in a latent
};

}  // namespace edt::data
