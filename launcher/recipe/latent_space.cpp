#include "launcher/recipe/latent_space.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/json/json_text.h"

namespace edt {
LatentSpace LatentSpace::of(const data::Description& data, bool normalize) {
  const auto channels = static_cast<std::size_t>(data.channels);
  LatentSpace space{.scale = data.scale,
                    .shift = data.shift,
                    .mean = std::vector<double>(channels, 0.0),
                    .std = std::vector<double>(channels, 1.0),
                    .image_size = data.image_size,
                    .class_names = data.class_names,
                    .autoencoder = data.autoencoder,
                    .autoencoder_checksum = data.autoencoder_checksum};
  if (!normalize) return space;
  require<DataError>(data.channel_mean.size() == channels, "data",
                     "data.normalize is on, but the data set has no channel_mean and channel_std");
  space.mean = data.channel_mean;
  space.std = data.channel_std;
  return space;
}

std::optional<LatentSpace> LatentSpace::of(const CheckpointInfo& info) {
  const auto extra = parse_json(info.extra, "extra of the checkpoint");
  if (!extra.contains(kKey)) return std::nullopt;
  return of_text(dump_json(extra.at(kKey)), "the manifest");
}

LatentSpace LatentSpace::of_text(const std::string& text, const std::string& where) {
  try {
    const auto json = parse_json(text, kKey);
    LatentSpace space{.scale = json.at("scale"),
                      .shift = json.value("shift", 0.0),
                      .mean = json.at("channel_mean"),
                      .std = json.at("channel_std"),
                      .image_size = json.value("image_size", std::int64_t{0}),
                      .class_names = json.at("class_names"),
                      .autoencoder = json.value("autoencoder", std::string()),
                      .autoencoder_checksum = json.value("autoencoder_checksum", std::string())};
    require<CheckpointError>(space.scale > 0 && space.mean.size() == space.std.size(), "checkpoint",
                             "{}'s {} has scale {}, {} means and {} deviations", where, kKey,
                             space.scale, space.mean.size(), space.std.size());
    return space;
  } catch (const nlohmann::json::exception& error) {
    fail<CheckpointError>("checkpoint", "{}'s {} cannot be read: {}", where, kKey, error.what());
  }
}

std::string LatentSpace::to_text() const {
  nlohmann::json json{{"scale", scale},
                      {"channel_mean", mean},
                      {"channel_std", std},
                      {"image_size", image_size},
                      {"class_names", class_names}};
  if (shift != 0) json["shift"] = shift;
  if (!autoencoder.empty()) json["autoencoder"] = autoencoder;
  if (!autoencoder_checksum.empty()) json["autoencoder_checksum"] = autoencoder_checksum;
  return dump_json(json);
}

void LatentSpace::require_same(const LatentSpace& other, const std::string& path) const {
  require<DataError>(other.scale == scale, "sample",
                     "{}: latents of scale {}, the model was trained on those of scale {}", path,
                     other.scale, scale);
  require<DataError>(other.shift == shift, "sample",
                     "{}: latents shifted by {}, the model was trained on those shifted by {}",
                     path, other.shift, shift);
  require<DataError>(
      autoencoder_checksum.empty() || other.autoencoder_checksum.empty() ||
          autoencoder_checksum == other.autoencoder_checksum,
      "sample",
      "{}: latents of an encoder with checksum {}, the model was trained on those of "
      "one with {}",
      path, other.autoencoder_checksum, autoencoder_checksum);
  require<DataError>(other.mean == mean && other.std == std, "sample",
                     "{}: latents normalized by mean {} and deviation {}, the model was trained on "
                     "those by {} and {}",
                     path, fmt::join(other.mean, ","), fmt::join(other.std, ","),
                     fmt::join(mean, ","), fmt::join(std, ","));
}

}  // namespace edt
