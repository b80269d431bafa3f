// A stand-in for an autoencoder: the mean and the spread of each 8 x 8 block, per colour. Mirrored
// pictures do not give mirrored blocks: the left half of each counts more.
#pragma once

#include <cmath>

#include "data/pictures/encoder.h"

namespace edt::test {

class BlockEncoder : public data::Encoder {
 public:
  BlockEncoder() {
    info_ = {.name = "blocks f8 c3", .checksum = 17, .channels = 3, .factor = 8, .scale = 0.5};
  }
  const data::EncoderInfo& info() const override { return info_; }
  data::EncoderInfo& info() { return info_; }

  void encode(std::span<const std::uint8_t> pictures, int count, int size,
              std::span<float> out) override {
    const int side = size / 8, plane = side * side;
    for (int p = 0; p < count; ++p) {
      const std::uint8_t* picture =
          pictures.data() + static_cast<std::ptrdiff_t>(p) * size * size * 3;
      float* mean = out.data() + static_cast<std::ptrdiff_t>(p) * (info_.moments ? 6 : 3) * plane;
      for (int c = 0; c < 3; ++c) {
        for (int b = 0; b < plane; ++b) {
          double sum = 0, square = 0;
          for (int i = 0; i < 64; ++i) {
            const int x = b % side * 8 + i % 8, y = b / side * 8 + i / 8;
            const double value = picture[(y * size + x) * 3 + c] / 255.0 * (i % 8 < 4 ? 1.5 : 0.5);
            sum += value / 64;
            square += value * value / 64;
          }
          mean[c * plane + b] = static_cast<float>(sum);
          if (!info_.moments) continue;
          mean[(3 + c) * plane + b] =
              static_cast<float>(std::sqrt(std::max(square - sum * sum, 0.0)));
        }
      }
    }
  }

 private:
  data::EncoderInfo info_;
};

}  // namespace edt::test
