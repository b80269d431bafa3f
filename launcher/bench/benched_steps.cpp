#include "launcher/bench/benched_steps.h"

#include "core/optim/grad_norm.h"

#include "launcher/memory/memory_check.h"
#include "model/ternary.h"
#include "parallel/comm/device/device_communicator.h"
#include "parallel/comm/self/self_communicator.h"

namespace edt {
namespace {

TrainingRecipe checked_recipe(const StepBenchOptions& options, Backend& backend, const Mesh& mesh) {
  TrainingRecipe recipe = step_recipe(options);
  recipe.engine.batch *= mesh.data().size();
  if (options.memory_check) {
    require_free_memory({recipe, mesh.data().size(), mesh.tensor().size()}, backend.memory(),
                        mesh.world());
  }
  return recipe;
}

std::unique_ptr<Model> sampler_model(const StepBenchOptions& options, Backend& backend,
                                     Communicator& world) {
  options.weights_type.require_possible(backend);
  if (options.memory_check) {
    require_free_memory(PlannedSampler{.model = options.model,
                                       .dtype = options.dtype,
                                       .pictures = options.micro_batch,
                                       .decoder_bytes = options.decoder_bytes,
                                       .int8 = options.weights_type.int8},
                        options.micro_batch_option, backend.memory(), world);
  }
  return make_model(options.model, backend, options.dtype, {}, ModelUse::kSampling);
}

}  // namespace

TrainingSteps::TrainingSteps(const StepBenchOptions& options, Backend& backend, const Mesh& mesh)
    : backend_(backend),
      activations_(communicator_for(backend, mesh.tensor(), "activations")),
      recipe_(checked_recipe(options, backend, mesh)),
      training_(recipe_, backend, mesh.data(), {&mesh.tensor(), activations_.get()}),
      batch_(training_.model(), options.micro_batch),
      arrays_(training_.engine().arrays(), options.micro_batch) {
  engine().initialize();
  training_.begin();
}

StepSeconds TrainingSteps::run() {
  engine().begin_step();
  for (const std::int64_t index : engine().own_micro_batches()) {
    engine().run_micro_batch(index, batch_.latents, batch_.labels, arrays_.spans());
  }
  const StepReport report = engine().finish_step();
  backend_.synchronize();
  return {{report.communication_seconds + report.hidden_communication_seconds,
           report.communication_seconds},
          report.compute_seconds};
}

SamplerSteps::SamplerSteps(const StepBenchOptions& options, Backend& backend, Communicator& world)
    : model_(sampler_model(options, backend, world)),
      layout_(FlatLayout::of(parameter_pointers(model_->parameters()),
                             static_cast<std::int64_t>(kNormBlock))),
      weights_(host_memory(), static_cast<std::size_t>(layout_.size()) * sizeof(float)),
      arena_(backend.memory()),
      tape_(backend, arena_, profiler_, options.dtype),
      inputs_(backend, *model_, 2 * options.micro_batch),
      inference_(tape_) {
  const std::span<float> weights(static_cast<float*>(weights_.data()),
                                 static_cast<std::size_t>(layout_.size()));
  std::ranges::fill(weights, 0.f);  // the layout's padding
  for (std::size_t i = 0; i < layout_.tensors().size(); ++i) {
    const FlatTensor& tensor = layout_.tensor(i);
    model_->parameters().initialize(i, 0,
                                    weights.subspan(static_cast<std::size_t>(tensor.offset),
                                                    static_cast<std::size_t>(tensor.elements())));
  }
  const std::vector<Parameter*> folded = fold_ternary(model_->parameters(), layout_, weights);
  bound_ = std::make_unique<BoundWeights>(backend, model_->parameters(), layout_, weights,
                                          options.dtype);
  forms_ = pack_folded(folded, backend);
  const auto integers = options.weights_type.apply(backend, *model_);
  forms_.insert(forms_.end(), integers.begin(), integers.end());
}

std::vector<MemoryUse> SamplerSteps::memory() const {
  return {{"weights", weights_.bytes() + bound_->copy_bytes()},
          {"activations", arena_.peak_bytes()}};
}

}  // namespace edt
