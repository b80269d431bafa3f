#include "launcher/memory/memory_check.h"

#include <algorithm>

#include "launcher/machine/machine.h"
#include "launcher/text/report.h"
#include "model/plan/search.h"

namespace edt {
namespace {

double needed(const PlannedStep& step, double process_bytes) {
  return static_cast<double>(dry_run_of_memory(step).bytes) + process_bytes;
}

// The first of some changes, from the cheapest, that fits.
std::string what_would_fit(const PlannedStep& step, double available, double process_bytes) {
  const auto try_one = [&](const PlannedStep& other, const std::string& options) {
    const double bytes = needed(other, process_bytes);
    return bytes <= available ? fmt::format("; {} would fit ({})", options, human_bytes(bytes))
                              : std::string();
  };
  for (const Recompute recompute : {step.engine.recompute, Recompute::kFull}) {
    if (!can_recompute(step.model, recompute)) continue;
    for (int stage = static_cast<int>(step.engine.zero.stage); stage < 4; ++stage) {
      for (std::int64_t size = step.engine.micro_batch;; size /= 2) {
        PlannedStep other = step;
        other.engine.recompute = recompute;
        other.engine.zero.stage = static_cast<ZeroStage>(stage);
        other.engine.micro_batch = size;
        const std::string found = try_one(
            other,
            fmt::format("micro-batch {}, zero {}, recompute {}", size, stage, name_of(recompute)));
        if (!found.empty()) return found;
        if (size % 2 != 0 || size == 1) break;
      }
      if (step.data_ranks == 1) break;  // stages share nothing
    }
  }
  return "";
}

// How many ranks name the same memory.
int ranks_that_share(const std::string& memory, Communicator& world) {
  std::string list;
  for (const std::string& name : world.gather(memory, 0, "memory")) list += name + '\n';
  list = '\n' + world.broadcast(list, 0, "memory");
  const std::string own = '\n' + memory + '\n';
  int count = 0;
  for (auto at = list.find(own); at != list.npos; at = list.find(own, at + 1)) ++count;
  return count;
}

}  // namespace

void require_memory(const PlannedStep& step, double available, const std::string& where,
                    double process_bytes) {
  const double bytes = needed(step, process_bytes);
  if (bytes <= available) return;
  fail<UsageError>("memory", "{} ({}) needs {} on each rank, {} has {}{}", step.model.name(),
                   describe(step), human_bytes(bytes), where, human_bytes(available),
                   what_would_fit(step, available, process_bytes));
}

AvailableMemory available_memory(const Memory& memory, const std::string& host) {
  if (const auto device = memory.free_on_device()) {
    return {fmt::format("{} of {}", device->device, host), static_cast<double>(device->bytes),
            kGpuProcessBytes};
  }
  return {host, static_cast<double>(probe_machine().memory_available), kProcessBytes};
}

AvailableMemory memory_of_each_rank(const Memory& memory, Communicator& world) {
  AvailableMemory available = available_memory(memory, world.host());
  available.bytes /= ranks_that_share(available.where, world);
  available.bytes = world.all_reduce_value(available.bytes, Reduce::kMin, "memory");
  available.where = world.size() == 1 ? available.where : "the one with least";
  return available;
}

void require_free_memory(const PlannedStep& step, const Memory& memory, Communicator& world) {
  const AvailableMemory available = available_memory(memory, world.host());
  const int sharing = ranks_that_share(available.where, world);
  require_memory(step, available.bytes / sharing,
                 sharing == 1 ? available.where
                              : fmt::format("each of the {} ranks on {}", sharing, available.where),
                 available.process_bytes);
}

void require_free_memory(const PlannedSampler& sampler, std::string_view option,
                         const Memory& memory, Communicator& world) {
  const AvailableMemory available = available_memory(memory, world.host());
  const double each = available.bytes / ranks_that_share(available.where, world);
  const bool in_host_memory = !memory.free_on_device().has_value();
  const auto needed = [&](std::int64_t pictures) {
    PlannedSampler other = sampler;
    other.pictures = pictures;
    return static_cast<double>(dry_run_of_sampler(other, in_host_memory)) + available.process_bytes;
  };
  const double bytes = needed(sampler.pictures);
  if (bytes <= each) return;
  std::int64_t fitting = sampler.pictures / 2;
  while (fitting > 0 && needed(fitting) > each) fitting /= 2;
  fail<UsageError>("memory", "{}: {} pictures together need {} on each rank, {} has {} for it{}",
                   sampler.model.name(), sampler.pictures, human_bytes(bytes), available.where,
                   human_bytes(each),
                   fitting > 0 ? fmt::format("; {} {} would fit", option, fitting)
                               : std::string("; not one of them would fit"));
}

}  // namespace edt
