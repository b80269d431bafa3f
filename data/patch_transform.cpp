#include "data/patch_transform.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "data/captioned_picture.h"
#include "data/synth_picture.h"

namespace edt::data {

namespace {

using ColourAxis = std::array<double, 3>;

// A colour direction times a product of cosines.
struct Coefficient {
  const ColourAxis& colour;
  int across, down;
};

// Orthonormal. The second is close to the line from orange to blue.
const double kLength = std::sqrt(5.0 * 5 + 1 + 6.0 * 6);
const ColourAxis kGrey{1 / std::sqrt(3.0), 1 / std::sqrt(3.0), 1 / std::sqrt(3.0)};
const ColourAxis kWarm{5 / kLength, 1 / kLength, -6 / kLength};
const ColourAxis kThird{kGrey[1] * kWarm[2] - kGrey[2] * kWarm[1],
                        kGrey[2] * kWarm[0] - kGrey[0] * kWarm[2],
                        kGrey[0] * kWarm[1] - kGrey[1] * kWarm[0]};

std::vector<Coefficient> coefficients_of(int channels) {
  std::vector<Coefficient> few{{kGrey, 0, 0}, {kGrey, 1, 0}, {kGrey, 0, 1}, {kWarm, 0, 0}};
  if (channels == PatchTransform::kFew) return few;
  std::vector<Coefficient> many = few;
  for (const auto& [across, down] :
       {std::pair{1, 1}, {2, 0}, {0, 2}, {2, 1}, {1, 2}, {3, 0}, {0, 3}}) {
    many.push_back({kGrey, across, down});
  }
  for (const auto& [across, down] : {std::pair{1, 0}, {0, 1}, {2, 0}, {0, 2}}) {
    many.push_back({kWarm, across, down});
  }
  many.push_back({kThird, 0, 0});
  return many;
}

// The units in which values of these deviations have their roots as deviations, but for a common
// factor that makes the mean of their variances 1.
std::vector<float> roots_with_mean_variance_one(const std::vector<float>& deviations) {
  const double variance = std::accumulate(deviations.begin(), deviations.end(), 0.0) /
                          static_cast<double>(deviations.size());
  std::vector<float> units;
  units.reserve(deviations.size());
  for (const float deviation : deviations) {
    units.push_back(static_cast<float>(std::sqrt(deviation * variance)));
  }
  return units;
}

Image fixed_picture(int number, int size, bool of_captions) {
  const auto sample = static_cast<std::uint32_t>(number);
  if (of_captions) return draw_captioned_picture(draw_picture_words(0, sample), size, 0, sample);
  const int classes = static_cast<int>(synth_class_names().size());
  return draw_synth_picture(number % classes, size, 0, sample);
}

}  // namespace

// DCT-II, rows of unit length.
std::vector<PatchTransform::Row> PatchTransform::make_basis(int channels, int patch) {
  const double pi = std::acos(-1.0);
  const auto cosine = [&](int frequency, int i) {
    return frequency == 0 ? std::sqrt(1.0 / patch)
                          : std::sqrt(2.0 / patch) * std::cos(pi * frequency * (i + 0.5) / patch);
  };
  std::vector<Row> basis;
  for (const Coefficient& one : coefficients_of(channels)) {
    Row& row = basis.emplace_back(static_cast<std::size_t>(patch * patch * 3));
    for (int i = 0; i < patch * patch * 3; ++i) {
      const int pixel = i / 3;
      row[static_cast<std::size_t>(i)] =
          static_cast<float>(one.colour[static_cast<std::size_t>(i % 3)] *
                             cosine(one.across, pixel % patch) * cosine(one.down, pixel / patch));
    }
  }
  return basis;
}

void PatchTransform::transform(const Image& image, int left, int top, std::span<float> sums) const {
  std::ranges::fill(sums, 0.f);
  for (int y = 0; y < patch_; ++y) {
    const std::uint8_t* pixels = image.pixel(left, top + y);
    for (std::size_t k = 0; k < basis_.size(); ++k) {
      const float* row = basis_[k].data() + static_cast<std::ptrdiff_t>(y) * patch_ * 3;
      for (int i = 0; i < patch_ * 3; ++i)
        sums[k] += row[i] * (static_cast<float>(pixels[i]) - 127.5f);
    }
  }
}

PatchTransform::PatchTransform(int image_size, int channels, int patch, bool of_captions)
    : image_size_(image_size),
      patch_(patch),
      basis_(make_basis(channels, patch)),
      mean_(basis_.size()),
      deviation_(basis_.size()),
      unit_(basis_.size()) {
  constexpr int kSmallest = 32, kLargest = 1024;
  require<UsageError>(image_size >= kSmallest && image_size <= kLargest && image_size % patch == 0,
                      "synth", "pictures of {} pixels; a multiple of {} from {} to {} is needed",
                      image_size, patch, kSmallest, kLargest);
  // Statistics of fixed pictures, so that every data set of one size has the same decoder.
  constexpr int kFixedPictures = 240;
  std::vector<double> sum(basis_.size()), square(basis_.size());
  std::vector<float> z(basis_.size());
  for (int i = 0; i < kFixedPictures; ++i) {
    const Image image = fixed_picture(i, image_size, of_captions);
    for (int y = 0; y < image_size; y += patch) {
      for (int x = 0; x < image_size; x += patch) {
        transform(image, x, y, z);
        for (std::size_t k = 0; k < z.size(); ++k) {
          sum[k] += z[k];
          square[k] += double{z[k]} * z[k];
        }
      }
    }
  }
  const double n = kFixedPictures * std::pow(image_size / patch, 2);
  for (std::size_t k = 0; k < z.size(); ++k) {
    mean_[k] = static_cast<float>(sum[k] / n);
    deviation_[k] = static_cast<float>(std::sqrt(square[k] / n - std::pow(sum[k] / n, 2)));
  }
  unit_ = channels == kMany ? roots_with_mean_variance_one(deviation_) : deviation_;
}

void PatchTransform::encode(const Image& image, std::span<float> latent) const {
  const int side = latent_size();
  const auto plane = static_cast<std::size_t>(side) * side;
  EDT_ASSERT(image.width == image_size_ && image.height == image_size_);
  EDT_ASSERT(latent.size() == plane * basis_.size());
  std::vector<float> z(basis_.size());
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      transform(image, x * patch_, y * patch_, z);
      for (std::size_t k = 0; k < z.size(); ++k) {
        latent[k * plane + static_cast<std::size_t>(y * side + x)] = (z[k] - mean_[k]) / unit_[k];
      }
    }
  }
}

std::vector<double> PatchTransform::channel_std() const {
  std::vector<double> deviations;
  for (std::size_t k = 0; k < unit_.size(); ++k) {
    deviations.push_back(double{deviation_[k]} / unit_[k]);
  }
  return deviations;
}

LinearDecoder PatchTransform::decoder() const {
  LinearDecoder decoder{.patch = patch_};
  const std::size_t values = basis_.front().size();
  decoder.bias.assign(values, 127.5f);
  decoder.matrix.resize(values * basis_.size());
  for (std::size_t i = 0; i < values; ++i) {
    for (std::size_t k = 0; k < basis_.size(); ++k) {
      decoder.matrix[i * basis_.size() + k] = basis_[k][i] * unit_[k];
      decoder.bias[i] += basis_[k][i] * mean_[k];
    }
  }
  return decoder;
}

}  // namespace edt::data
