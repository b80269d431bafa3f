#include "data/gradient_features.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/base/assert.h"
#include "core/base/error.h"

namespace edt::data {

namespace {

// The mean gradient, of values from 0 to 1, below which a histogram becomes shorter than 1.
constexpr float kQuiet = 0.01f;

struct Gradient {
  float dx = 0, dy = 0;
  float square() const { return dx * dx + dy * dy; }
};

// Of the colour that changes most; at the border one side is the pixel itself.
Gradient gradient_at(std::span<const std::uint8_t> picture, int size, int x, int y) {
  const auto value = [&](int column, int row, int colour) {
    column = std::clamp(column, 0, size - 1);
    row = std::clamp(row, 0, size - 1);
    return static_cast<float>(
               picture[static_cast<std::size_t>((row * size + column) * 3 + colour)]) /
           255;
  };
  Gradient most;
  for (int colour = 0; colour < 3; ++colour) {
    const Gradient one{value(x + 1, y, colour) - value(x - 1, y, colour),
                       value(x, y + 1, colour) - value(x, y - 1, colour)};
    if (one.square() > most.square()) most = one;
  }
  return most;
}

// Shared by the two nearest of `bins`, whose middles are at (k + 1/2) pi / bins.
void add_orientation(Gradient gradient, std::span<float> bins) {
  const float magnitude = std::sqrt(gradient.square());
  if (magnitude == 0) return;
  const auto count = static_cast<int>(bins.size());
  const float turn = std::atan2(gradient.dy, gradient.dx) / std::numbers::pi_v<float>;
  const float place = (turn < 0 ? turn + 1 : turn) * static_cast<float>(count) - 0.5f;
  const float below = std::floor(place), share = place - below;
  const int first = (static_cast<int>(below) + count) % count;
  bins[static_cast<std::size_t>(first)] += (1 - share) * magnitude;
  bins[static_cast<std::size_t>((first + 1) % count)] += share * magnitude;
}

}  // namespace

GradientFeatures::GradientFeatures(std::string_view where, int size, int factor)
    : size_(size), factor_(factor), tokens_(size / factor / 2) {
  require<UsageError>(size % (2 * factor) == 0, where,
                      "--hog describes squares of 2 x 2 latents, and {} pixels are {} latents",
                      size, size / factor);
}

SampleArray GradientFeatures::array(bool flipped) const {
  const auto tokens = static_cast<std::uint64_t>(tokens_);
  return {.name = kName,
          .shape = {tokens * tokens, kDims},
          .type = h5::Type::kFloat16,
          .flipped = flipped};
}

std::vector<float> GradientFeatures::cells(std::span<const std::uint8_t> picture) const {
  const int across = 2 * tokens_;
  std::vector<float> sums(static_cast<std::size_t>(across) * across * kOfCell);
  for (int y = 0; y < size_; ++y) {
    for (int x = 0; x < size_; ++x) {
      const int cell = y / factor_ * across + x / factor_;
      const auto sum = std::span(sums).subspan(static_cast<std::size_t>(cell) * kOfCell, kOfCell);
      add_orientation(gradient_at(picture, size_, x, y), sum.first(kBins));
      for (int colour = 0; colour < kColours; ++colour) {
        sum[static_cast<std::size_t>(kBins + colour)] +=
            picture[static_cast<std::size_t>((y * size_ + x) * 3 + colour)];
      }
    }
  }
  return sums;
}

void GradientFeatures::describe(std::span<const float> cells, int row, int column, int scale,
                                float* out) const {
  const int across = 2 * tokens_, reach = 1 << scale;
  std::array<float, kOfCell> sum{};
  float pixels = 0;
  for (int y = std::max(0, 2 * row + 1 - reach); y < std::min(across, 2 * row + 1 + reach); ++y) {
    for (int x = std::max(0, 2 * column + 1 - reach); x < std::min(across, 2 * column + 1 + reach);
         ++x) {
      for (std::size_t i = 0; i < sum.size(); ++i) {
        sum[i] += cells[static_cast<std::size_t>(y * across + x) * kOfCell + i];
      }
      pixels += static_cast<float>(factor_ * factor_);
    }
  }
  float square = kQuiet * kQuiet * pixels * pixels, mean = 0;
  for (int bin = 0; bin < kBins; ++bin) square += sum[bin] * sum[bin];
  for (int bin = 0; bin < kBins; ++bin) mean += sum[bin] / std::sqrt(square) / kBins;
  for (int bin = 0; bin < kBins; ++bin) out[bin] = sum[bin] / std::sqrt(square) - mean;
  for (int i = kBins; i < kOfCell; ++i) out[i] = sum[i] / pixels / 127.5f - 1;
}

void GradientFeatures::compute(std::span<const std::uint8_t> picture, std::span<float> out) const {
  EDT_ASSERT(picture.size() == static_cast<std::size_t>(size_) * size_ * 3);
  EDT_ASSERT(out.size() == elements());
  const std::vector<float> sums = cells(picture);
  float* to = out.data();
  for (int row = 0; row < tokens_; ++row) {
    for (int column = 0; column < tokens_; ++column) {
      for (int scale = 0; scale < kScales; ++scale, to += kOfCell) {
        describe(sums, row, column, scale, to);
      }
    }
  }
}

}  // namespace edt::data
