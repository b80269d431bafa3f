#include "launcher/train/micro_batch.h"

#include <algorithm>

#include "core/base/odd_part.h"
#include "data/dataset.h"
#include "launcher/text/report.h"
#include "launcher/train/agreement.h"
#include "launcher/train/planned_step.h"
#include "parallel/sharding/mesh.h"
#include "parallel/sharding/sum_tree.h"

namespace edt {
namespace {

constexpr std::int64_t kUsual = 32;  // images; larger ones take memory and gain little

// Largest first; above the usual only where nothing else cuts the batch. Never none: where the
// ranks cannot share the batch, one that they refuse.
std::vector<std::int64_t> candidates(std::int64_t batch, int data_ranks) {
  std::vector<std::int64_t> sizes = micro_batch_sizes(batch, OddPart::of(data_ranks).odd);
  if (sizes.empty()) sizes = micro_batch_sizes(batch, 1);
  const auto usual = std::ranges::find_if(sizes, [](auto size) { return size <= kUsual; });
  sizes.erase(sizes.begin(), usual == sizes.end() ? sizes.end() - 1 : usual);
  return sizes;
}

void check_ranks(const PlannedStep& step) {
  check_mesh({.ranks = step.data_ranks * step.tensor_ranks,
              .tensor_ranks = step.tensor_ranks,
              .micro_batches = step.engine.batch / step.engine.micro_batch,
              .batch = step.engine.batch,
              .model = step.model.name(),
              .shard_ranks = step.engine.zero.shard_ranks,
              .tensor_degrees = step.model.tensor_degrees()});
}

}  // namespace

MicroBatchChoice choose_micro_batch(PlannedStep step, const AvailableMemory& memory) {
  const std::vector<std::int64_t> sizes = candidates(step.engine.batch, step.data_ranks);
  const auto shared = std::ranges::find_if(
      sizes, [&](auto size) { return step.engine.batch / size % step.data_ranks == 0; });
  step.engine.micro_batch = shared == sizes.end() ? sizes.back() : *shared;
  check_ranks(step);
  MicroBatchChoice choice{*shared, shared == sizes.begin()
                                       ? fmt::format("the largest of at most {}", kUsual)
                                       : fmt::format("the largest that leaves each of {} one",
                                                     counted(step.data_ranks, "data rank"))};
  if (memory.bytes == 0) return choice;
  std::string larger;
  for (auto size = shared; size != sizes.end(); ++size) {
    step.engine.micro_batch = *size;
    const double needed = static_cast<double>(dry_run_of_memory(step).bytes) + memory.process_bytes;
    if (needed <= memory.bytes) return larger.empty() ? choice : MicroBatchChoice{*size, larger};
    larger = fmt::format("{} would need {} on each rank, {} has {}", *size, human_bytes(needed),
                         memory.where, human_bytes(memory.bytes));
  }
  return choice;
}

std::string choose_micro_batch(TrainConfig& config, const ModelConfig& model, int ranks,
                               const AvailableMemory& memory) {
  if (config.train.micro_batch != 0) return {};
  config.check_recipe(model);
  const int tensor = config.parallel.tensor;
  const MicroBatchChoice choice =
      choose_micro_batch(planned_step(config, model, std::max(1, ranks / tensor), tensor), memory);
  config.train.micro_batch = choice.images;
  return fmt::format("train.micro-batch is {}: {}", counted(choice.images, "image"), choice.why);
}

std::string choose_micro_batch(TrainConfig& config, const std::string& configuration,
                               Communicator& world) {
  if (!world.any(config.train.micro_batch == 0, "micro-batch")) return {};
  require_agreement(world, "configuration", configuration);
  const data::Dataset dataset(config.data.path, {.verify_blocks = false});
  const ModelConfig model = config.model.resolve(dataset.description().classes);
  AvailableMemory memory;
  if (config.run.memory_check) {
    memory = memory_of_each_rank(config.run.device.make_backend(world)->memory(), world);
  }
  return choose_micro_batch(config, model, world.size(), memory);
}

}  // namespace edt
