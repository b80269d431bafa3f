#include "launcher/train/planned_step.h"

#include "launcher/recipe/engine_config.h"
#include "launcher/recipe/latent_decoder.h"
#include "launcher/train/training_judge.h"
#include "model/plan/inception_run.h"
#include "model/plan/sampler_run.h"
#include "model/plan/validation_run.h"

namespace edt {
namespace {

// One model samples for grids and for evaluation.
std::size_t sample_bytes(const RunOptions& run, const ModelConfig& model) {
  const bool draws = run.sample_every > 0, judges = run.evaluate_every > 0;
  if (!draws && !judges) return 0;
  PlannedSampler sampler{
      .model = model,
      .pictures = judges ? kJudgedBatch : kGridBatch,
      .guided = (draws && run.sample_guidance != 1) || (judges && run.evaluate_guidance != 1)};
  const bool decodes = draws || !run.evaluate_inception.empty();
  if (decodes && !run.sample_vae.path.empty()) {
    sampler.decoder_bytes = decoder_bytes(run.sample_vae, model.latents());
  }
  return dry_run_of_sampler(sampler, run.device.kind != DeviceKind::kCuda);
}

std::size_t evaluation_bytes(const TrainConfig& config, const ModelConfig& model) {
  constexpr std::int64_t kMost = 32;  // where the micro-batch is yet to be chosen
  const std::int64_t batch = config.train.micro_batch > 0 ? config.train.micro_batch : kMost;
  std::size_t bytes = 0;
  if (config.run.holdout_every > 0) {
    bytes += dry_run_of_validation(model, config.run.dtype, config.train.loss, batch);
  }
  if (config.run.evaluate_every > 0 && !config.run.evaluate_inception.empty()) {
    bytes += dry_run_of_inception(config.run.evaluate_inception);
  }
  return bytes;
}

}  // namespace

PlannedStep planned_step(const TrainConfig& config, const ModelConfig& model, int data_ranks,
                         int tensor_ranks) {
  return {training_recipe(config, model), data_ranks, tensor_ranks, sample_bytes(config.run, model),
          evaluation_bytes(config, model)};
}

}  // namespace edt
