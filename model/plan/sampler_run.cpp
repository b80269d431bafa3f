#include "model/plan/sampler_run.h"

#include <algorithm>

#include "core/optim/grad_norm.h"
#include "model/blocks/token_weights.h"
#include "model/plan/recording_backend.h"
#include "model/sampling/picture_sampler.h"
#include "model/ternary.h"
#include "model/weights.h"

namespace edt {
namespace {

struct SamplerMemory {
  std::size_t total = 0;  // as it is reserved
  std::size_t fixed = 0;  // whatever the number of pictures
  std::size_t peak = 0;   // of activations and of the cache
  std::size_t cache = 0;
};

// A model with weights, in memory that is not there.
struct DryNetwork {
  std::unique_ptr<Model> model;
  Block memory;
  std::unique_ptr<BoundWeights> bound;
  std::size_t packed = 0;  // bytes of ternary weights that a host's backend packs

  DryNetwork(const ModelConfig& config, RecordingBackend& backend, DType dtype)
      : model(make_model(config, backend, dtype, {}, ModelUse::kSampling)) {
    packed = packed_bytes(plan_folded(model->parameters()));
    const FlatLayout layout = FlatLayout::of(parameter_pointers(model->parameters()),
                                             static_cast<std::int64_t>(kNormBlock));
    const auto size = static_cast<std::size_t>(layout.size());
    memory = Block(backend.memory(), size * sizeof(float));
    const std::span<float> weights(static_cast<float*>(memory.data()), size);
    bound = std::make_unique<BoundWeights>(backend, model->parameters(), layout, weights, dtype);
  }
  // Of the host: on a device that has a copy they are not there.
  std::size_t counted_twice(bool in_host_memory) const {
    return !in_host_memory && bound->copy_bytes() > 0 ? memory.bytes() : 0;
  }
};

SamplerMemory run_dry(const PlannedSampler& planned, std::int64_t pictures, bool in_host_memory) {
  Recorder recorder(false);
  recorder.pause();
  const auto made = make_recording_backend(recorder);
  RecordingBackend& backend = *made;
  const DryNetwork network(planned.model, backend, planned.dtype);
  std::optional<DryNetwork> guide;
  if (planned.guide) guide.emplace(*planned.guide, backend, planned.dtype);

  const std::size_t not_there =
      network.counted_twice(in_host_memory) + (guide ? guide->counted_twice(in_host_memory) : 0);
  std::size_t integers = 0;
  if (planned.int8) {
    integers = quantized_bytes(network.model->parameters());
    if (guide) integers += quantized_bytes(guide->model->parameters());
  }
  const std::size_t packed =
      in_host_memory ? network.packed + (guide ? guide->packed : 0) : std::size_t{0};
  const std::size_t fixed = backend.memory().bytes() - not_there + integers + packed;
  PictureSampler sampler(*network.model, backend, planned.dtype,
                         guide ? guide->model.get() : nullptr);
  // What gates shut hangs on values: they are multiplied with, which takes no less memory.
  PictureRequest request{.batch = pictures, .narrow = false};
  request.solver.kind = planned.solver;
  // With a cache two steps that compute, so that there are differences, and one that does not.
  request.solver.spacing = std::string(planned.cache.is_on() ? "3" : "1");
  if (planned.cache.is_on()) {
    request.cache = planned.cache;
    request.cache.interval = request.cache.warmup = 2;
  }
  request.labels.assign(static_cast<std::size_t>(pictures), 0);
  const Model& model = *network.model;
  request.frames.resize(
      static_cast<std::size_t>(pictures * model.patches().tokens() * model.frame_channels()));
  request.guidance.scale = planned.guided ? 2 : 1;
  if (const TextConfig& text = network.model->text(); text.is_on()) {
    request.texts.null.resize(static_cast<std::size_t>(text.tokens * text.channels));
    request.texts.of = [null = request.texts.null](std::int64_t) { return null; };
  }
  std::vector<float> latents(request.labels.size() * sampler.picture_elements());
  sampler.run(request, latents);
  std::size_t cache = 0;
  for (const BranchCache* one : {sampler.cache(), sampler.guide_cache()}) {
    if (one != nullptr) cache += one->peak_bytes();
  }
  return {backend.memory().bytes() - not_there + integers, fixed, sampler.peak_bytes() + cache,
          cache};
}

}  // namespace

std::size_t dry_run_of_sampler(const PlannedSampler& planned, bool in_host_memory) {
  constexpr std::int64_t kMost = 8;
  const std::size_t decoder = planned.decoder_bytes;
  if (planned.pictures <= kMost) {
    return run_dry(planned, planned.pictures, in_host_memory).total + decoder;
  }
  // What grows with the pictures grows evenly; their noise and predictions are real memory.
  const SamplerMemory half = run_dry(planned, kMost / 2, in_host_memory);
  const SamplerMemory whole = run_dry(planned, kMost, in_host_memory);
  const auto more = static_cast<std::size_t>(planned.pictures - kMost);
  const std::size_t peak = whole.peak + more * (whole.peak - half.peak) / (kMost / 2);
  return std::max(whole.total, whole.fixed + peak) + decoder;
}

std::size_t dry_run_of_cache(const PlannedSampler& planned) {
  if (!planned.cache.is_on()) return 0;
  return run_dry(planned, 1, true).cache * static_cast<std::size_t>(planned.pictures);
}

}  // namespace edt
