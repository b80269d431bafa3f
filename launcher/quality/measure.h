// What a checkpoint is worth, in figures that mean the same for every process and model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "core/image/image.h"
#include "core/ops/backend.h"
#include "data/dataset.h"
#include "data/picture_decoder.h"
#include "launcher/autoencoder/vae_options.h"
#include "launcher/evaluate/feature_set.h"
#include "launcher/recipe/trained_model.h"
#include "launcher/sample/weights_type.h"
#include "model/evaluation/frechet.h"
#include "model/evaluation/inception.h"
#include "model/sampling/cache_plan.h"
#include "parallel/comm/communicator.h"

namespace edt {

struct MeasureOptions {
  std::int64_t samples = 512;  // generated, classes in turn
  int steps = 20;              // of the sampler: DDIM, of a flow Euler
  double guidance = 1;
  std::int64_t batch = 64;
  std::int64_t draws = 64;          // noised samples at each of eight levels
  std::uint64_t seed = 0;           // of all noise: the same for all arms
  std::int64_t pictures = 20;       // of the grid
  std::filesystem::path inception;  // weights; empty: no FID
  std::filesystem::path reference;  // of `edt evaluate reference`, with them
  VaeOptions vae;                   // that makes pictures; none: the data set's decoder
  DType dtype = DType::kFloat32;
};

// How a finished model makes its samples, beside what all have in common.
struct SamplingForm {
  CacheConfig cache;
  WeightsTypeOptions weights;  // of all that is measured
};

struct MeasuredQuality {
  // Mean square of the difference between the noise and what a prediction says of it, on samples
  // that were not trained on and on as many that were; at the signal-to-noise ratios in the middle
  // of eight equal parts of the 1000 steps, also for a flow.
  double held_out = 0, trained = 0;  // held_out of a run that was trained on all: none, NAN
  double latent_distance = 0;  // Frechet's, of latents of the samples and the data set: no FID
  std::optional<double> fid;
  double sampling_seconds = 0;  // of all samples, by all ranks
  double sampling_gmac = 0;     // of a sample; on the first rank
};

class QualityMeter {
 public:
  // All ranks. What is read of the data set and of the reference is read once.
  QualityMeter(const data::Dataset& dataset, const MeasureOptions& options, Backend& backend,
               Communicator& ranks);

  // The moving average of the newest checkpoint of a run. All ranks together, each with the result.
  MeasuredQuality measure(const std::filesystem::path& run, const SamplingForm& form = {});
  // Pictures of it, classes in turn, by the data set's decoder. On the first rank.
  Image grid(const std::filesystem::path& run);

 private:
  TrainedModel load(const std::filesystem::path& run, ModelUse use) const;
  std::shared_ptr<const data::PictureDecoder> decoder_of(const TrainedModel& trained) const;
  void measure_errors(const std::filesystem::path& run, const SamplingForm& form,
                      MeasuredQuality& quality);
  void measure_distances(const std::filesystem::path& run, const SamplingForm& form,
                         MeasuredQuality& quality);

  const data::Dataset& dataset_;
  MeasureOptions options_;
  Backend& backend_;
  Communicator& ranks_;
  std::unique_ptr<Inception> inception_;
  std::unique_ptr<FrechetReference> latents_, pictures_;  // of the first rank
};

// t at which alpha / sigma has that value; of a discrete process, that of the nearest step.
double time_of_ratio(const Process& process, double ratio);

}  // namespace edt
