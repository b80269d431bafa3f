#include "launcher/memory/memory_check.h"

#include <algorithm>

#include "launcher/machine.h"
#include "launcher/report.h"
#include "model/plan/search.h"

namespace edt {
namespace {

double needed(const PlannedStep& step, double process_bytes) {
  return static_cast<double>(dry_run(step).memory_bytes) + process_bytes;
}

// The first of some changes, from the cheapest, that fits.
std::string what_would_fit(const PlannedStep& step, double available, double process_bytes) {
  const auto try_one = [&](const PlannedStep& other, const std::string& options) {
    const double bytes = needed(other, process_bytes);
    return bytes <= available ? fmt::format("; {} would fit ({})", options, human_bytes(bytes))
                              : std::string();
  };
  for (const Recompute recompute : {step.engine.recompute, Recompute::kFull}) {
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

int ranks_of_this_host(Communicator& world) {
  std::string list;
  for (const std::string& host : world.gather(world.host(), 0, "hosts")) list += host + '\n';
  list = '\n' + world.broadcast(list, 0, "hosts");
  const std::string own = '\n' + world.host() + '\n';
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

void require_host_memory(const PlannedStep& step, Communicator& world) {
  const int sharing = ranks_of_this_host(world);
  const auto free = static_cast<double>(probe_machine().memory_available);
  require_memory(step, free / sharing,
                 sharing == 1 ? world.host()
                              : fmt::format("each of the {} ranks on {}", sharing, world.host()));
}

}  // namespace edt
