#include "launcher/train/training_judge.h"

#include <algorithm>
#include <utility>

#include "core/base/log.h"
#include "core/storage/checksum.h"
#include "launcher/evaluate/latent_reference.h"
#include "launcher/recipe/model_data.h"
#include "launcher/train/agreement.h"

namespace edt {
namespace {

// Of the reference, for precision and recall: a curve takes no more, and their distances to each
// other take a minute for ten thousand.
constexpr std::int64_t kNeighbours = 2048;

PictureRequest request_of(const TrainConfig& config, const ModelConfig& model,
                          const data::Dataset& dataset) {
  const RunOptions& run = config.run;
  PictureRequest request;
  request.labels =
      drawn_labels(run.evaluate_samples, model.classes(), LabelOrder::kRandom, config.train.seed);
  take_texts(dataset, model, drawn_samples(dataset.size(), config.train.seed), request);
  request.solver.kind = preview_solver(model.common().process);
  request.solver.spacing = std::to_string(run.evaluate_steps);
  request.guidance.scale = run.evaluate_guidance;
  request.seed = config.train.seed;
  request.batch = std::min(kJudgedBatch, run.evaluate_samples);
  return request;
}

}  // namespace

TrainingJudge::TrainingJudge(const TrainConfig& config, const ModelConfig& model,
                             const data::Dataset& dataset, Backend& backend,
                             std::shared_ptr<const data::PictureDecoder> decoder, const Mesh& mesh)
    : config_(config),
      dataset_(dataset),
      mesh_(mesh),
      request_(request_of(config, model, dataset)) {
  eye_.latents = LatentFeatures::of(model.latents(),
                                    LatentSpace::of(dataset.description(), config.data.normalize));
  if (config.run.evaluate_inception.empty()) return;
  require<UsageError>(decoder != nullptr && !decoder->is_false_colour(), "options",
                      "run.evaluate-inception judges pictures, and the data set has no decoder: "
                      "run.sample-vae names one; without Inception latents are judged");
  network_ = std::make_unique<Inception>(config.run.evaluate_inception, backend);
  require_agreement(mesh.world(), "Inception network",
                    fmt::format("weights = {}\n", checksum_text(network_->checksum())));
  const std::filesystem::path& path = config.run.evaluate_reference;
  require<UsageError>(is_feature_set(path), "options",
                      "run.evaluate-reference {} is no file of features: edt evaluate reference "
                      "makes one of pictures",
                      path.string());
  stored_ = read_feature_set(path);
  eye_.decoder = std::move(decoder);
  eye_.network = network_.get();
  eye_.resize = stored_->resize.value_or(InceptionResize::kAdm);
  require_comparable(*stored_, network_->checksum(), eye_.resize);
  if (!mesh.world().is_root()) stored_.reset();  // who does not compare keeps none
}

// Covariances are taken apart once.
const QualityJudge& TrainingJudge::reference() {
  if (!judge_) {
    FeatureSet set = stored_ ? *std::exchange(stored_, {})
                             : latent_set_of(dataset_, eye_.latents,
                                             {.order = {.seed = config_.train.seed,
                                                        .flips = config_.data.flip,
                                                        .holdout = config_.data.holdout},
                                              .kept = kNeighbours});
    const auto most = static_cast<std::size_t>(kNeighbours * set.pooled.width());
    set.features.resize(std::min(set.features.size(), most));
    judge_.emplace(std::move(set), QualityOptions{.kernel_subsets = 0});
  }
  return *judge_;
}

std::optional<Quality> TrainingJudge::judge(AverageSampler& average, const FlatLayout& layout,
                                            std::span<float> weights) {
  const BoundWeights bound = average.bind(layout, weights);
  const bool looks = mesh_.tensor().is_root();  // tensor ranks have the same latents
  const SeenSamples seen = see_samples(average.sampler(), request_, eye_, mesh_.data(), looks);
  if (!mesh_.world().is_root()) return {};
  if (seen.not_finite > 0) {
    log::warning("latents of {} of {} samples are not finite: they are not judged", seen.not_finite,
                 request_.labels.size());
    return {};
  }
  return reference().judge(seen.set, {seen.logits, InceptionFeatures::kClasses});
}

}  // namespace edt
