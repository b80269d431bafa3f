// Where model and data set meet: the latents of one are those of the other.
#pragma once

#include <string_view>

#include "data/dataset.h"
#include "launcher/recipe/train_config.h"

namespace edt {

// What is not given of the latents' shape is as the data set has it; so a run's configuration has
// all of it, and samples need no data set.
void take_latents_of(const data::Description& data, const OptionSet& given, ModelOptions& model);

// Throws DataError naming both values, and what would fit. `size_option` gives the height of the
// model's pictures.
void require_fits(const data::Dataset& dataset, const ModelConfig& model,
                  std::string_view size_option = "model.image-size");

}  // namespace edt
