// Where model and data set meet: the latents of one are those of the other.
#pragma once

#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "launcher/recipe/train_config.h"

namespace edt {

// What is not given of the latents' shape is as the data set has it; so a run's configuration has
// all of it, and samples need no data set.
void take_latents_of(const data::Description& data, const OptionSet& given, ModelOptions& model);

// The numbers of a token of each array that is aligned with, where they are not given. DataError
// where the data set has no such array, or one that is no tokens.
void take_features_of(const data::Description& data, const OptionSet& given, AlignOptions& align);

// What the network reads beside the latents; in training what is aligned with too, behind it.
std::vector<data::ArrayRequest> array_requests(const ModelConfig& model);
std::vector<data::ArrayRequest> array_requests(const TrainConfig& config, const ModelConfig& model);

// UsageError where the network reads conditions of frames, which `command` has none of.
void require_no_frames(const ModelConfig& model, std::string_view command);

// Throws DataError naming both values, and what would fit. `size_option` gives the height of the
// model's pictures.
void require_fits(const data::Dataset& dataset, const ModelConfig& model,
                  std::string_view size_option = "model.image-size");

}  // namespace edt
