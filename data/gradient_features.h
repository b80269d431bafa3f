// Features of a picture that need no other network: histograms of oriented gradients (Dalal and
// Triggs, CVPR 2005; as what masked pictures are trained to predict: MaskFeat, arXiv 2112.09133)
// and mean colours, around each token.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "data/sample_array.h"

namespace edt::data {

class GradientFeatures {
 public:
  static constexpr const char* kName = "hog";  // of the array beside the latents

  // Of pictures [size, size, 3], each latent of which stands for factor x factor pixels. UsageError
  // by `where` unless 2 x 2 latents, a token each, fill them.
  GradientFeatures(std::string_view where, int size, int factor);

  SampleArray array(bool flipped) const;
  std::size_t elements() const { return static_cast<std::size_t>(tokens_) * tokens_ * kDims; }
  // [tokens, kDims]: of the token's pixels, and of as many around it as make its sides twice and
  // four times as long, kBins of orientation (0 to pi, of length up to 1, less their mean) and the
  // mean of red, green and blue (-1 to 1).
  void compute(std::span<const std::uint8_t> picture, std::span<float> out) const;

 private:
  static constexpr int kBins = 9, kColours = 3, kScales = 3;
  static constexpr int kOfCell = kBins + kColours, kDims = kScales * kOfCell;

  // Sums over the pixels of each latent: magnitudes by orientation, and colours.
  std::vector<float> cells(std::span<const std::uint8_t> picture) const;
  void describe(std::span<const float> cells, int row, int column, int scale, float* out) const;

  int size_, factor_, tokens_;  // tokens: along a side
};

}  // namespace edt::data
