// What a run opens before its first step, and what is looked at before memory is taken. All ranks
// call these alike.
#pragma once

#include <memory>
#include <string>

#include "data/dataset.h"
#include "data/picture_decoder.h"
#include "launcher/recipe/train_config.h"
#include "launcher/train/training_judge.h"
#include "parallel/health/watchdog.h"
#include "parallel/sharding/mesh.h"

namespace edt {

// With what is read beside the latents, whose shapes follow from the model and not from the
// classes.
data::DatasetOptions dataset_options(const TrainConfig& config);

// Samples that are not trained on.
data::Holdout held_out_of(const TrainConfig& config, const data::Dataset& dataset);

// Only the number of latents counts; but who did not mean another number of pixels shall know.
std::string other_pixels(const data::Dataset& dataset, const LatentShape& latents);

// The first rank reads for all.
std::string shared_data_identity(const TrainConfig& config, const data::Dataset& dataset,
                                 Communicator& world);

// Nothing where it is turned off.
std::unique_ptr<Watchdog> make_watchdog(const RunOptions& options, Communicator& world,
                                        const std::shared_ptr<FlightRecorder>& recorder);

// Everything that can be known to be wrong before memory is taken.
Mesh checked_mesh(const TrainConfig& config, const ModelConfig& model, const data::Dataset& dataset,
                  const std::string& configuration, Communicator& world);

// Refuses a step that does not fit before any of its memory is taken.
std::unique_ptr<Backend> checked_backend(const TrainConfig& config, const ModelConfig& model,
                                         const Mesh& mesh);

// What makes pictures of samples: the autoencoder that was named, or what the data set has. Null
// where nobody looks at pictures.
std::shared_ptr<const data::PictureDecoder> grid_decoder(const TrainConfig& config,
                                                         const ModelConfig& model,
                                                         const data::Dataset& dataset,
                                                         Backend& backend, Communicator& world);

// Null where samples are not judged.
std::unique_ptr<TrainingJudge> make_judge(const TrainConfig& config, const ModelConfig& model,
                                          const data::Dataset& dataset, Backend& backend,
                                          std::shared_ptr<const data::PictureDecoder> decoder,
                                          const Mesh& mesh);

}  // namespace edt
