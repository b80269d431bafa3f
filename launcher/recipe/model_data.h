// Where model and data set meet: the latents of one are those of the other.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "launcher/recipe/train_config.h"
#include "model/sampling/picture_sampler.h"

namespace edt {

// What is not given of the latents' shape is as the data set has it; so a run's configuration has
// all of it, and samples need no data set. UsageError, naming the option and both values, where one
// of the sizes of sequences is given and is another.
void take_latents_of(const data::Description& data, const OptionSet& given, ModelOptions& model);

// The numbers of a token of each array that is aligned with, where they are not given. DataError
// where the data set has no such array, or one that is no tokens.
void take_features_of(const data::Description& data, const OptionSet& given, AlignOptions& align);

// Length and channels of the texts, and the name of their encoder, where the network reads texts
// and they are not given. DataError where the data set has none, UsageError, naming the option and
// both values, where shorter texts, other channels or another encoder are given.
void take_texts_of(const data::Description& data, const OptionSet& given, ModelOptions& model);

// All of these: what is not given of a configuration, as the data set has it.
void take_data(const data::Description& data, const OptionSet& given, TrainConfig& config);

// DataError with both values, naming `label`, unless a network that reads texts can read these.
void require_fits(const data::TextDescription& texts, const ModelConfig& model,
                  const std::string& label);

// Texts of samples of a data set, sample `which(picture)` for each picture of a request; none where
// the network reads none. The data set outlives them. DataError where they do not fit.
RequestedTexts texts_of(const data::Dataset& dataset, const ModelConfig& model,
                        std::function<std::uint64_t(std::int64_t picture)> which);

// What the network reads beside the latents; in training what is aligned with too, behind it.
std::vector<data::ArrayRequest> array_requests(const ModelConfig& model);
std::vector<data::ArrayRequest> array_requests(const TrainConfig& config, const ModelConfig& model);

// The texts of a request for so many pictures as it has labels; where the network reads classes
// too, these become those of the same samples.
void take_texts(const data::Dataset& dataset, const ModelConfig& model,
                const std::function<std::uint64_t(std::int64_t picture)>& which,
                PictureRequest& request);

// UsageError where the network reads conditions of frames, or texts too, which `command` has none
// of.
void require_no_frames(const ModelConfig& model, std::string_view command);
void require_no_conditions(const ModelConfig& model, std::string_view command);

// Throws DataError naming both values, and what would fit. `size_option` gives the height of the
// model's pictures.
void require_fits(const data::Dataset& dataset, const ModelConfig& model,
                  std::string_view size_option = "model.image-size");

}  // namespace edt
