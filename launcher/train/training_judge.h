// Judges samples of the moving average now and then while a model trains. Noise and classes are the
// same each time, so that a curve shows the weights. Data ranks share the work.
#pragma once

#include <memory>
#include <optional>

#include "data/dataset.h"
#include "launcher/evaluate/quality.h"
#include "launcher/evaluate/sample_pass.h"
#include "launcher/recipe/train_config.h"
#include "launcher/train/average_sampler.h"
#include "parallel/sharding/mesh.h"

namespace edt {

// Samples that are made together.
inline constexpr std::int64_t kJudgedBatch = 8;

class TrainingJudge {
 public:
  // Opens what the options name; DataError or UsageError where it does not fit. Without an
  // Inception network `decoder` is not used, and the latents of the data set are read at the first
  // judge(). All ranks call it.
  TrainingJudge(const TrainConfig& config, const ModelConfig& model, const data::Dataset& dataset,
                Backend& backend, std::shared_ptr<const data::PictureDecoder> decoder,
                const Mesh& mesh);

  // `weights`: the flat moving average. All ranks call it; the first one gets the figures, or
  // nothing where samples are not finite, which is logged.
  std::optional<Quality> judge(AverageSampler& average, const FlatLayout& layout,
                               std::span<float> weights);

 private:
  const QualityJudge& reference();

  const TrainConfig& config_;
  const data::Dataset& dataset_;
  const Mesh& mesh_;
  PictureRequest request_;
  std::unique_ptr<Inception> network_;
  SampleEye eye_;
  std::optional<FeatureSet> stored_;
  std::optional<QualityJudge> judge_;  // of the first rank
};

}  // namespace edt
