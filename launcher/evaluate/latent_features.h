// What is measured of latents where no network looks at pictures: the means over small squares of
// each channel, few enough numbers for a covariance. A distance of these says how two sets of
// latents of one autoencoder differ; it is no FID, and comparable with none.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "launcher/recipe/latent_space.h"
#include "model/config.h"

namespace edt {

struct LatentFeatures {
  static constexpr std::int64_t kMost = 2048;  // as many as FID's features

  std::int64_t channels = 0, height = 0, width = 0;  // of a latent
  std::int64_t square = 1;                           // side of the squares
  LatentSpace space;

  // With the smallest squares that leave at most kMost numbers. UsageError where none do.
  static LatentFeatures of(const LatentShape& shape, LatentSpace space);
  // Numbers of a latent.
  std::int64_t count() const { return channels * (height / square) * (width / square); }
  // Appends those of latents [n, C, H, W].
  void append(std::span<const float> latents, std::vector<float>& features) const;
  // "1024 means over 2 x 2 latents"
  std::string text() const;
  // DataError with both values unless those of `path` are the same numbers of the same latents.
  void require_same(const LatentFeatures& other, const std::string& path) const;
};

}  // namespace edt
