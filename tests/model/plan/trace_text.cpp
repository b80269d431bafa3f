#include "tests/model/plan/trace_text.h"

#include <fmt/format.h>

#include <vector>

#include "parallel/comm/wire.h"

namespace edt::test {
namespace {

// Numbers in the order of first use: what an earlier step alone has used does not count.
class Numbers {
 public:
  std::size_t of(std::uint32_t index) {
    for (std::size_t i = 0; i < used_.size(); ++i) {
      if (used_[i] == index) return i;
    }
    used_.push_back(index);
    return used_.size() - 1;
  }
  const std::vector<std::uint32_t>& used() const { return used_; }

 private:
  std::vector<std::uint32_t> used_;
};

std::string_view name_of(CollectiveKind kind) {
  switch (kind) {
    case CollectiveKind::kAllReduce:
      return "all_reduce";
    case CollectiveKind::kReduceScatter:
      return "reduce_scatter";
    case CollectiveKind::kAllGather:
      return "all_gather";
    case CollectiveKind::kReduceGroups:
      return "reduce_groups";
    case CollectiveKind::kFoldGroups:
      return "fold_groups";
  }
  return "?";
}

std::string line_of(const Kernel& kernel) {
  return fmt::format("{} flops {:.0f} bytes {:.0f}", kernel.key, kernel.flops, kernel.bytes);
}

std::string line_of(const PlannedCollective& c) {
  return fmt::format("{} of {} ranks bytes {:.0f} wire {}{}", name_of(c.kind),
                     c.group == RankGroup::kData ? "data" : "tensor", c.bytes, wire_share(c.wire),
                     c.is_gradient ? " gradient" : "");
}

// Events as words: a kernel's number, c and a collective's, and what the queue does with a ticket.
std::vector<std::string> words(const Trace& trace, Numbers& kernels, Numbers& collectives) {
  std::vector<std::string> all;
  Numbers tickets;
  for (const TraceEvent& event : trace.events) {
    const auto ticket = [&] { return tickets.of(static_cast<std::uint32_t>(event.ticket)); };
    switch (event.type) {
      case TraceEvent::Type::kKernel:
        all.push_back(fmt::to_string(kernels.of(event.index)));
        break;
      case TraceEvent::Type::kCollective:
        all.push_back(fmt::format("c{}", collectives.of(event.index)));
        break;
      case TraceEvent::Type::kTaskBegin:
        all.push_back(fmt::format("begin{}", ticket()));
        break;
      case TraceEvent::Type::kTaskEnd:
        all.push_back(fmt::format("end{}", ticket()));
        break;
      case TraceEvent::Type::kWait:
        all.push_back(fmt::format("wait{}", ticket()));
        break;
    }
  }
  return all;
}

std::string wrapped(const std::vector<std::string>& words) {
  constexpr std::size_t kWidth = 100;
  std::string text;
  std::size_t column = 0;
  for (const std::string& word : words) {
    const bool breaks = column + word.size() >= kWidth;
    text += column == 0 ? "" : breaks ? "\n" : " ";
    column = (breaks || column == 0 ? 0 : column + 1) + word.size();
    text += word;
  }
  return text + "\n";
}

}  // namespace

std::string trace_text(const PlannedStep& step) {
  const DryRun run = dry_run(step);
  Numbers kernels, collectives;
  const auto order = wrapped(words(run.trace, kernels, collectives));
  std::string text =
      fmt::format("{}, {} parameters, {:.0f} FLOPs, {:.0f} again\n", step.model.name(),
                  run.parameters, run.model_flops, run.recompute_flops);
  for (const MemoryUse& use : run.memory) text += fmt::format("{} {}\n", use.category, use.bytes);
  text += "\nkernels\n";
  for (const std::uint32_t i : kernels.used()) text += line_of(run.trace.kernels[i]) + "\n";
  text += "\ncollectives\n";
  for (const std::uint32_t i : collectives.used()) text += line_of(run.trace.collectives[i]) + "\n";
  return text + "\norder\n" + order;
}

}  // namespace edt::test
