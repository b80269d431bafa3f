#include "launcher/recipe/latent_space.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace edt {

LatentSpace LatentSpace::of(const data::Description& data, bool normalize) {
  const auto channels = static_cast<std::size_t>(data.channels);
  LatentSpace space{.scale = data.scale,
                    .mean = std::vector<double>(channels, 0.0),
                    .std = std::vector<double>(channels, 1.0),
                    .class_names = data.class_names};
  if (!normalize) return space;
  require<DataError>(data.channel_mean.size() == channels, "data",
                     "data.normalize is on, but the data set has no channel_mean and channel_std");
  space.mean = data.channel_mean;
  space.std = data.channel_std;
  return space;
}

std::optional<LatentSpace> LatentSpace::of(const CheckpointInfo& info) {
  const auto extra = nlohmann::json::parse(info.extra);
  if (!extra.contains(kKey)) return std::nullopt;
  try {
    const auto& json = extra.at(kKey);
    LatentSpace space{.scale = json.at("scale"),
                      .mean = json.at("channel_mean"),
                      .std = json.at("channel_std"),
                      .class_names = json.at("class_names")};
    require<CheckpointError>(space.scale > 0 && space.mean.size() == space.std.size(), "checkpoint",
                             "the manifest's {} has scale {}, {} means and {} deviations", kKey,
                             space.scale, space.mean.size(), space.std.size());
    return space;
  } catch (const nlohmann::json::exception& error) {
    fail<CheckpointError>("checkpoint", "the manifest's {} cannot be read: {}", kKey, error.what());
  }
}

std::string LatentSpace::to_text() const {
  return nlohmann::json{
      {"scale", scale}, {"channel_mean", mean}, {"channel_std", std}, {"class_names", class_names}}
      .dump();
}

void LatentSpace::require_same(const LatentSpace& other, const std::string& path) const {
  require<DataError>(other.scale == scale, "sample",
                     "{}: latents of scale {}, the model was trained on those of scale {}", path,
                     other.scale, scale);
  require<DataError>(other.mean == mean && other.std == std, "sample",
                     "{}: latents normalized by mean {} and deviation {}, the model was trained on "
                     "those by {} and {}",
                     path, fmt::join(other.mean, ","), fmt::join(other.std, ","),
                     fmt::join(mean, ","), fmt::join(std, ","));
}

}  // namespace edt
