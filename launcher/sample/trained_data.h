// The data that a model was trained on, as far as it can be found: what makes pictures of its
// latents.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "data/decoder.h"
#include "launcher/recipe/trained_model.h"

namespace edt {

struct TrainedData {
  std::filesystem::path path;
  std::optional<data::Description> description;  // nothing: there is no data set
  std::optional<LatentSpace> latents;            // nothing: neither it nor the checkpoint says
  bool normalized = false;

  // "there is no data set at 'X'", or that the weights name none.
  std::string absence() const;
  data::Decoder decoder(const ModelConfig& model) const;
  // How latents are decoded: format and shape, scale, shift, mean and deviation, classes.
  nlohmann::ordered_json decoding(const ModelConfig& model) const;
};

// `given`: by the user, who wants just that; empty: as in training, where it is still there. Throws
// DataError where it is not of the latents that the model makes.
TrainedData find_trained_data(const std::filesystem::path& given, const TrainedModel& trained);

}  // namespace edt
