#include "model/plan/dry_step.h"

#include <algorithm>

#include "core/optim/grad_norm.h"
#include "model/weights.h"
#include "parallel/sharding/mesh.h"

namespace edt {
namespace {

// The data rank, of the first shard group, that keeps most elements.
int largest_rank(const PlannedStep& step, Model& model) {
  const auto parameters = parameter_pointers(model.parameters());
  const FlatLayout layout = FlatLayout::of(parameters, static_cast<std::int64_t>(kNormBlock));
  const ZeroConfig& zero = step.engine.zero;
  const auto buckets =
      zero.stage < ZeroStage::kGradients ? layout.buckets(zero.bucket_elements) : layout.groups();
  const int size = shard_groups(zero, step.data_ranks).size;
  std::vector<std::int64_t> elements(static_cast<std::size_t>(size));
  for (const FlatBucket& bucket : buckets) {
    const auto bounds = layout.bounds(bucket, size);
    for (std::size_t r = 0; r < elements.size(); ++r) elements[r] += bounds[r + 1] - bounds[r];
  }
  return static_cast<int>(std::ranges::max_element(elements) - elements.begin());
}

TrainedNetworks checked_networks(const PlannedStep& step, Device& device,
                                 Communicator& tensor_ranks) {
  check_mesh({.ranks = step.ranks(),
              .tensor_ranks = step.tensor_ranks,
              .micro_batches = step.micro_batches(),
              .model = step.model.name(),
              .shard_ranks = step.engine.zero.shard_ranks,
              .tensor_degrees = step.auxiliary.tensor_degrees(step.model)});
  return make_networks(step, device, {&tensor_ranks});
}

TrainingRecipe observed(TrainingRecipe recipe, Recorder& recorder) {
  ZeroConfig& zero = recipe.engine.zero;
  zero.observer = &recorder;
  if (zero.shared_weights) {
    zero.shared_weights = [](Communicator&) { return std::make_unique<FakeMemory>(); };
  }
  return recipe;
}

}  // namespace

DryStep::DryStep(const PlannedStep& step, bool keep_replays)
    : recorder_(keep_replays),
      backend_(make_recording_backend(recorder_)),
      tensor_ranks_(recorder_, RankGroup::kTensor, 0, {step.tensor_ranks, 1, step.data_ranks > 1}),
      networks_(checked_networks(step, *backend_, tensor_ranks_)),
      data_ranks_(recorder_, RankGroup::kData, largest_rank(step, *networks_.model),
                  {step.data_ranks, step.tensor_ranks}),
      training_(std::move(networks_), observed(step, recorder_), *backend_, data_ranks_),
      engine_(training_.engine()),
      labels_(static_cast<std::size_t>(step.engine.micro_batch)),
      arrays_(engine_.arrays(), step.engine.micro_batch),
      sample_bytes_(step.sample_bytes),
      evaluation_bytes_(step.evaluation_bytes) {
  latents_.resize(labels_.size() * static_cast<std::size_t>(step.model.latents().elements()));
  recorder_.pause();
  engine_.restored(0, 0);
}

DryStep::~DryStep() = default;

void DryStep::run_step() {
  recorder_.clear();
  recorder_.resume();
  run_unrecorded();
  recorder_.pause();
}

void DryStep::run_unrecorded() {
  engine_.begin_step();
  for (const std::int64_t index : engine_.own_micro_batches()) {
    engine_.run_micro_batch(index, latents_, labels_, arrays_.spans());
  }
  engine_.finish_step();
}

// Partial sums have their memory from the beginning (parallel/sharding/gradient_accumulator.h), and
// losses too. The first micro-batch finds buffers that it has to make more of, the second knows the
// order of the first; after the last one gradients are reduced.
void DryStep::run_for_memory() {
  const auto& own = engine_.own_micro_batches();
  for (const std::size_t place :
       {std::size_t{0}, std::min<std::size_t>(1, own.size() - 1), own.size() - 1}) {
    engine_.go_on_at(place);
    engine_.run_micro_batch(own[place], latents_, labels_, arrays_.spans());
  }
}

std::vector<MemoryUse> DryStep::memory_uses() {
  const Arena& arena = engine_.tape().arena();
  std::vector<MemoryUse> uses = engine_.memory();
  std::size_t known = 0;
  for (const MemoryUse& use : uses) {
    if (use.category.starts_with("shared weights")) continue;  // in memory of their own
    known += use.category == "activations" ? arena.reserved_bytes() : use.bytes;
  }
  uses.push_back({"inputs and tables", backend_->memory().bytes() - known});
  uses.push_back({"sample grids", sample_bytes_});
  uses.push_back({"evaluation", evaluation_bytes_});
  std::erase_if(uses, [](const MemoryUse& use) { return use.bytes == 0; });
  return uses;
}

DryMemory DryStep::memory_result() {
  DryMemory memory{.uses = memory_uses(), .parameters = engine_.layout().elements()};
  for (const MemoryUse& use : memory.uses) memory.bytes += use.bytes;
  return memory;
}

DryRun DryStep::result() {
  DryRun run;
  DryMemory memory = memory_result();
  run.memory = std::move(memory.uses);
  run.memory_bytes = memory.bytes;
  run.parameters = memory.parameters;
  run.model_flops = engine_.profiler().total_flops();
  run.recompute_flops = engine_.profiler().total_recompute_flops();
  run.trace = recorder_.take();
  return run;
}

// The second step: the first learns in which order weights are used.
DryRun dry_run(const PlannedStep& step) {
  DryStep dry_step(step, false);
  dry_step.run_step();
  dry_step.run_step();
  return dry_step.result();
}

DryMemory dry_run_of_memory(const PlannedStep& step) {
  DryStep dry_step(step, false);
  dry_step.run_for_memory();
  return dry_step.memory_result();
}

}  // namespace edt
