#include "launcher/evaluate/latent_features.h"

#include <fmt/format.h>

#include "core/base/error.h"

namespace edt {

LatentFeatures LatentFeatures::of(const LatentShape& shape, LatentSpace space) {
  space.class_names.clear();  // of no account here, and long
  LatentFeatures features{.channels = shape.channels,
                          .height = shape.height,
                          .width = shape.width,
                          .square = 1,
                          .space = std::move(space)};
  while (features.count() > kMost) {
    features.square *= 2;
    require<UsageError>(
        shape.height % features.square == 0 && shape.width % features.square == 0, "evaluate",
        "latents of {} x {} x {} have more than {} numbers, and cannot be cut into squares of {}",
        shape.channels, shape.height, shape.width, kMost, features.square);
  }
  return features;
}

void LatentFeatures::append(std::span<const float> latents, std::vector<float>& features) const {
  const auto area = static_cast<double>(square * square);
  const std::int64_t planes = static_cast<std::int64_t>(latents.size()) / (height * width);
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    for (std::int64_t top = 0; top < height; top += square) {
      for (std::int64_t left = 0; left < width; left += square) {
        double sum = 0;
        for (std::int64_t i = 0; i < square * square; ++i) {
          const std::int64_t row = top + i / square, column = left + i % square;
          sum += latents[static_cast<std::size_t>((plane * height + row) * width + column)];
        }
        features.push_back(static_cast<float>(sum / area));
      }
    }
  }
}

std::string LatentFeatures::text() const {
  return square == 1 ? fmt::format("{} latents", count())
                     : fmt::format("{} means over {} x {} latents", count(), square, square);
}

void LatentFeatures::require_same(const LatentFeatures& other, const std::string& path) const {
  require<DataError>(other.channels == channels && other.height == height && other.width == width &&
                         other.square == square,
                     "evaluate", "{} has {} of {} x {} x {}, the samples have {} of {} x {} x {}",
                     path, other.text(), other.channels, other.height, other.width, text(),
                     channels, height, width);
  space.require_same(other.space, path);
}

}  // namespace edt
