#include "model/evaluation/inception_input.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/assert.h"
#include "core/image/resample_weights.h"

namespace edt {
namespace {

constexpr std::int64_t kSide = kInceptionSide;

// A pixel of a scaled line: between two of the source.
struct Between {
  std::int64_t first, second;
  float share;  // of the second
};

// In float32 as both libraries compute it: the values are compared to their last digits.
std::array<Between, kSide> places(int side, bool centres) {
  std::array<Between, kSide> line;
  const float scale = static_cast<float>(side) / static_cast<float>(kSide);
  for (std::int64_t i = 0; i < kSide; ++i) {
    const float at = static_cast<float>(i);
    const float source = centres ? std::max((at + 0.5F) * scale - 0.5F, 0.0F) : at * scale;
    const auto first = std::min<std::int64_t>(static_cast<std::int64_t>(source), side - 1);
    line[static_cast<std::size_t>(i)] = {first, std::min<std::int64_t>(first + 1, side - 1),
                                         source - static_cast<float>(first)};
  }
  return line;
}

// value(byte) of the four pixels, then between them: across, then down.
template <class Value>
void bilinear(const Image& picture, bool centres, const Value& value, std::span<float> out) {
  const auto across = places(picture.width, centres), down = places(picture.height, centres);
  std::size_t at = 0;
  for (const Between& row : down) {
    for (const Between& column : across) {
      const auto pixel = [&](std::int64_t x, std::int64_t y) {
        return picture.pixel(static_cast<int>(x), static_cast<int>(y));
      };
      const auto* top_left = pixel(column.first, row.first);
      const auto* top_right = pixel(column.second, row.first);
      const auto* bottom_left = pixel(column.first, row.second);
      const auto* bottom_right = pixel(column.second, row.second);
      for (int c = 0; c < 3; ++c) {
        const float above =
            value(top_left[c]) + (value(top_right[c]) - value(top_left[c])) * column.share;
        const float below =
            value(bottom_left[c]) + (value(bottom_right[c]) - value(bottom_left[c])) * column.share;
        out[at++] = above + (below - above) * row.share;
      }
    }
  }
}

// As Pillow scales an image of mode F: rows first, sums in double, float32 between.
std::vector<float> across_rows(const Image& picture) {
  const auto height = static_cast<std::size_t>(picture.height);
  std::vector<float> scaled(height * kSide * 3);
  const ExactLineWeights line =
      exact_line_weights(picture.width, kSide, Filter::kBicubic, 0, kInceptionSide);
  std::size_t at = 0;
  for (int y = 0; y < picture.height; ++y) {
    for (std::size_t x = 0; x < kSide; ++x) {
      const double* weight = line.weight.data() + x * static_cast<std::size_t>(line.taps);
      for (int c = 0; c < 3; ++c) {
        double sum = 0;
        for (int t = 0; t < line.count[x]; ++t) {
          sum += picture.pixel(static_cast<int>(line.first[x]) + t, y)[c] * weight[t];
        }
        scaled[at++] = static_cast<float>(sum);
      }
    }
  }
  return scaled;
}

void bicubic(const Image& picture, std::span<float> out) {
  std::vector<float> rows;
  if (picture.width == kSide) {
    rows.assign(picture.pixels.begin(), picture.pixels.end());
  } else {
    rows = across_rows(picture);
  }
  if (picture.height == kSide) {
    std::ranges::copy(rows, out.begin());
    return;
  }
  const ExactLineWeights line =
      exact_line_weights(picture.height, kSide, Filter::kBicubic, 0, kInceptionSide);
  constexpr std::size_t kRow = kSide * 3;
  for (std::size_t y = 0; y < kSide; ++y) {
    const double* weight = line.weight.data() + y * static_cast<std::size_t>(line.taps);
    const float* first = rows.data() + static_cast<std::size_t>(line.first[y]) * kRow;
    for (std::size_t i = 0; i < kRow; ++i) {
      double sum = 0;
      for (int t = 0; t < line.count[y]; ++t) {
        sum += static_cast<double>(first[static_cast<std::size_t>(t) * kRow + i]) * weight[t];
      }
      out[y * kRow + i] = static_cast<float>(sum);
    }
  }
}

}  // namespace

std::string_view name_of(InceptionResize resize) {
  switch (resize) {
    case InceptionResize::kAdm:
      return "adm";
    case InceptionResize::kPytorchFid:
      return "pytorch-fid";
    case InceptionResize::kClean:
      break;
  }
  return "clean";
}

std::vector<std::pair<std::string, InceptionResize>> inception_resizes() {
  std::vector<std::pair<std::string, InceptionResize>> all;
  for (const InceptionResize resize :
       {InceptionResize::kAdm, InceptionResize::kPytorchFid, InceptionResize::kClean}) {
    all.emplace_back(name_of(resize), resize);
  }
  return all;
}

void inception_input(const Image& picture, InceptionResize resize, std::span<float> out) {
  EDT_ASSERT(out.size() == static_cast<std::size_t>(kSide * kSide * 3));
  if (resize == InceptionResize::kPytorchFid) {
    bilinear(
        picture, true, [](std::uint8_t v) { return static_cast<float>(v) / 255.0F; }, out);
    for (float& v : out) v = 2.0F * v - 1.0F;
    return;
  }
  if (resize == InceptionResize::kAdm) {
    bilinear(
        picture, false, [](std::uint8_t v) { return static_cast<float>(v); }, out);
  } else {
    bicubic(picture, out);
  }
  for (float& v : out) v = (std::clamp(v, 0.0F, 255.0F) - 128.0F) / 128.0F;
}

}  // namespace edt
