#include "launcher/train/planned_step.h"

#include "launcher/recipe/engine_config.h"
#include "launcher/recipe/latent_decoder.h"
#include "model/plan/sampler_run.h"

namespace edt {
namespace {

std::size_t sample_bytes(const RunOptions& run, const ModelConfig& model) {
  if (run.sample_every == 0) return 0;
  PlannedSampler sampler{
      .model = model, .pictures = kGridBatch, .guided = run.sample_guidance != 1};
  if (!run.sample_vae.path.empty()) {
    sampler.decoder_bytes = decoder_bytes(run.sample_vae, model.latents());
  }
  return dry_run_of_sampler(sampler, run.device.kind != DeviceKind::kCuda);
}

}  // namespace

PlannedStep planned_step(const TrainConfig& config, const ModelConfig& model, int data_ranks,
                         int tensor_ranks) {
  return {
      {model, engine_config(config)}, data_ranks, tensor_ranks, sample_bytes(config.run, model)};
}

}  // namespace edt
