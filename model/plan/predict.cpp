#include "model/plan/predict.h"

#include <fmt/format.h>

#include <algorithm>

namespace edt {
namespace {

void count_wire(const Trace& trace, Prediction& prediction) {
  for (const TraceEvent& event : trace.events) {
    if (event.type != TraceEvent::Type::kCollective) continue;
    const PlannedCollective& collective = trace.collectives[event.index];
    const bool tensor = collective.group == RankGroup::kTensor;
    double& sum = tensor                   ? prediction.tensor_wire
                  : collective.is_gradient ? prediction.gradient_wire
                                           : prediction.weight_wire;
    sum +=
        wire_bytes(collective.kind, collective.placement.ranks, collective.bytes, collective.wire);
  }
}

}  // namespace

Prediction predict(const PlannedStep& step, const Cluster& cluster) {
  const DryRun run = dry_run(step);
  Prediction prediction{
      .step = step,
      .memory = run.memory,
      .memory_bytes = static_cast<double>(run.memory_bytes) + cluster.process_memory,
      .memory_available = cluster.memory,
      .parameters = run.parameters,
      .model_flops = run.model_flops,
      .recompute_flops = run.recompute_flops};
  count_wire(run.trace, prediction);
  for (const TraceEvent& event : run.trace.events) {
    if (event.type != TraceEvent::Type::kKernel) continue;
    ++prediction.kernel_calls;
    prediction.measured_calls += cluster.is_measured(run.trace.kernels[event.index]);
  }
  prediction.time =
      simulate(run.trace, {step.data_ranks, step.tensor_ranks, step.engine.zero.overlap}, cluster);
  return prediction;
}

std::string Prediction::limit() const {
  auto largest = Spent::kAttention;
  for (int i = 0; i < static_cast<int>(Spent::kCount); ++i) {
    const auto what = static_cast<Spent>(i);
    if (what != Spent::kMatrix && time.of(what) > time.of(largest)) largest = what;
  }
  const double share = time.of(largest) / time.seconds;
  const double gemms = time.of(Spent::kMatrix) / time.seconds;
  if (gemms > 0.5 && share < 0.15) {
    return fmt::format("matrix products, {:.0f} %", 100 * gemms);
  }
  return fmt::format("{}, {:.0f} %", name_of(largest), 100 * share);
}

}  // namespace edt
