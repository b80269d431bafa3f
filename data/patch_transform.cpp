#include "data/patch_transform.h"

#include <array>
#include <cmath>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "data/synth_picture.h"

namespace edt::data {

namespace {

constexpr int kPatch = PatchTransform::kPatch;
constexpr int kChannels = PatchTransform::kChannels;
constexpr int kValues = kPatch * kPatch * 3;
using Basis = std::array<std::array<float, kValues>, kChannels>;

// Orthonormal rows: a colour direction times a product of cosines (DCT-II), unit length each.
Basis make_basis() {
  const double pi = std::acos(-1.0);
  const std::array<double, 3> grey{1 / std::sqrt(3.0), 1 / std::sqrt(3.0), 1 / std::sqrt(3.0)};
  // Orthogonal to grey, close to the line from orange to blue.
  const double length = std::sqrt(5.0 * 5 + 1 + 6.0 * 6);
  const std::array<double, 3> warm{5 / length, 1 / length, -6 / length};
  struct Row {
    const std::array<double, 3>& colour;
    int across, down;
  };
  const std::array<Row, kChannels> rows{{{grey, 0, 0}, {grey, 1, 0}, {grey, 0, 1}, {warm, 0, 0}}};
  const auto cosine = [&](int frequency, int i) {
    return frequency == 0 ? std::sqrt(1.0 / kPatch)
                          : std::sqrt(2.0 / kPatch) * std::cos(pi * frequency * (i + 0.5) / kPatch);
  };
  Basis basis;
  for (std::size_t k = 0; k < kChannels; ++k) {
    for (int i = 0; i < kValues; ++i) {
      const int pixel = i / 3;
      basis[k][static_cast<std::size_t>(i)] = static_cast<float>(
          rows[k].colour[static_cast<std::size_t>(i % 3)] * cosine(rows[k].across, pixel % kPatch) *
          cosine(rows[k].down, pixel / kPatch));
    }
  }
  return basis;
}

const Basis& basis() {
  static const Basis rows = make_basis();
  return rows;
}

std::array<float, kChannels> coefficients(const Image& image, int left, int top) {
  std::array<float, kChannels> sums{};
  for (int y = 0; y < kPatch; ++y) {
    const std::uint8_t* pixels = image.pixel(left, top + y);
    for (std::size_t k = 0; k < kChannels; ++k) {
      const float* row = basis()[k].data() + static_cast<std::ptrdiff_t>(y) * kPatch * 3;
      for (int i = 0; i < kPatch * 3; ++i)
        sums[k] += row[i] * (static_cast<float>(pixels[i]) - 127.5f);
    }
  }
  return sums;
}

}  // namespace

PatchTransform::PatchTransform(int image_size)
    : image_size_(image_size), mean_(kChannels), deviation_(kChannels) {
  constexpr int kSmallest = 32, kLargest = 1024;
  require<UsageError>(image_size >= kSmallest && image_size <= kLargest && image_size % kPatch == 0,
                      "synth", "pictures of {} pixels; a multiple of {} from {} to {} is needed",
                      image_size, kPatch, kSmallest, kLargest);
  // Statistics of fixed pictures, so that every data set of one size has the same decoder.
  constexpr int kPictures = 240;
  std::array<double, kChannels> sum{}, square{};
  const int classes = static_cast<int>(synth_class_names().size());
  for (int i = 0; i < kPictures; ++i) {
    const Image image =
        draw_synth_picture(i % classes, image_size, 0, static_cast<std::uint32_t>(i));
    for (int y = 0; y < image_size; y += kPatch) {
      for (int x = 0; x < image_size; x += kPatch) {
        const auto z = coefficients(image, x, y);
        for (std::size_t k = 0; k < kChannels; ++k) {
          sum[k] += z[k];
          square[k] += double{z[k]} * z[k];
        }
      }
    }
  }
  const double n = kPictures * std::pow(image_size / kPatch, 2);
  for (std::size_t k = 0; k < kChannels; ++k) {
    mean_[k] = static_cast<float>(sum[k] / n);
    deviation_[k] = static_cast<float>(std::sqrt(square[k] / n - std::pow(sum[k] / n, 2)));
  }
}

void PatchTransform::encode(const Image& image, std::span<float> latent) const {
  const int side = latent_size();
  const auto plane = static_cast<std::size_t>(side) * side;
  EDT_ASSERT(image.width == image_size_ && image.height == image_size_);
  EDT_ASSERT(latent.size() == plane * kChannels);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const auto z = coefficients(image, x * kPatch, y * kPatch);
      for (std::size_t k = 0; k < kChannels; ++k) {
        latent[k * plane + static_cast<std::size_t>(y * side + x)] =
            (z[k] - mean_[k]) / deviation_[k];
      }
    }
  }
}

LinearDecoder PatchTransform::decoder() const {
  LinearDecoder decoder{.patch = kPatch};
  decoder.bias.assign(kValues, 127.5f);
  decoder.matrix.resize(static_cast<std::size_t>(kValues) * kChannels);
  for (std::size_t i = 0; i < kValues; ++i) {
    for (std::size_t k = 0; k < kChannels; ++k) {
      decoder.matrix[i * kChannels + k] = basis()[k][i] * deviation_[k];
      decoder.bias[i] += basis()[k][i] * mean_[k];
    }
  }
  return decoder;
}

}  // namespace edt::data
