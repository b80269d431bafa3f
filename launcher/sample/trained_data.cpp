#include "launcher/sample/trained_data.h"

#include <nlohmann/json.hpp>

#include "data/dataset.h"
#include "launcher/version.h"

namespace edt {

namespace {

// Before the numbers are compared that they are normalised by, which would be others too.
void require_length(const data::Description& data, const LatentShape& model,
                    const std::string& path) {
  if (!data.is_sequence() && !model.is_sequence()) return;
  require<DataError>(data.is_sequence() == model.is_sequence(), "sample",
                     "{}: holds {}, the model makes {}", path,
                     data.is_sequence() ? "sequences" : "latents of pictures",
                     model.is_sequence() ? "sequences" : "latents of pictures");
  require<DataError>(data.width == model.width, "sample",
                     "{}: sequences of {} frames, the model makes those of {} "
                     "(model.sequence-length)",
                     path, data.width, model.width);
}

}  // namespace

TrainedData find_trained_data(const std::filesystem::path& given, const TrainedModel& trained) {
  const DataOptions& training = trained.config().data;
  TrainedData found{.path = given.empty() ? training.path : given,
                    .description = {},
                    .latents = trained.latents(),
                    .normalized = training.normalize};
  if (given.empty() && !std::filesystem::exists(found.path)) return found;
  found.description = data::Dataset(found.path).description();
  const std::int64_t channels = trained.model_config().latents().channels;
  require<DataError>(found.description->channels == channels, "sample",
                     "{}: latents of {} channels, the model makes {}", found.path.string(),
                     found.description->channels, channels);
  require_length(*found.description, trained.model_config().latents(), found.path.string());
  const LatentSpace latents = LatentSpace::of(*found.description, found.normalized);
  if (found.latents) found.latents->require_same(latents, found.path.string());
  found.latents = latents;
  return found;
}

std::string TrainedData::absence() const {
  return path.empty() ? "the weights name no data set"
                      : fmt::format("there is no data set at '{}'", path.string());
}

data::Decoder TrainedData::decoder(const ModelConfig& model) const {
  if (description) return {*description, normalized};
  data::Description plain;
  const LatentShape& shape = model.latents();
  plain.channels = static_cast<int>(shape.channels);
  plain.height = static_cast<int>(shape.height);
  plain.width = static_cast<int>(shape.width);
  return {plain, false};
}

nlohmann::ordered_json TrainedData::decoding(const ModelConfig& model) const {
  const LatentShape& shape = model.latents();
  // What the data set says counts: in older checkpoints models count 8 pixels for each latent.
  const std::int64_t pixels =
      latents && latents->image_size > 0 ? latents->image_size : shape.factor * shape.height;
  nlohmann::ordered_json notes{{"format", "edt-latents"},
                               {"format_version", 1},
                               {"written_by", "edt " + versions().front().second},
                               {"layout", "N, C, H, W"},
                               {"channels", shape.channels},
                               {"image_size", pixels},
                               {"pixels_per_latent", pixels / shape.height},
                               {"num_classes", model.classes()}};
  if (!shape.is_square()) notes["image_width"] = shape.factor * shape.width;
  if (!latents) {
    notes["decode"] = "unknown: neither checkpoint nor data set says the scale of the latents";
    return notes;
  }
  notes["decode"] =
      "latents of the VAE = (latents * channel_std + channel_mean) / scale + shift, for each "
      "channel";
  notes["scale"] = latents->scale;
  notes["shift"] = latents->shift;
  notes["channel_mean"] = latents->mean;
  notes["channel_std"] = latents->std;
  notes["class_names"] = latents->class_names;
  if (!latents->autoencoder.empty()) notes["autoencoder"] = latents->autoencoder;
  if (!latents->autoencoder_checksum.empty()) {
    notes["autoencoder_checksum"] = latents->autoencoder_checksum;
  }
  return notes;
}

}  // namespace edt
