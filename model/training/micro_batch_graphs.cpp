#include "model/training/micro_batch_graphs.h"

namespace edt {

bool MicroBatchGraphs::holds(const Zero::Work& work) const {
  const auto found = entries_.find(work);
  return found != entries_.end() && found->second.graph && found->second.graph->valid();
}

void MicroBatchGraphs::replay(const Zero::Work& work) {
  const Entry& entry = entries_.at(work);
  const Profiler::Scope scope(profiler_, "graph");
  profiler_.count("graph", entry.flops, entry.recompute_flops);
  entry.graph->replay();
}

// A graph that is not valid any more begins anew: what it was captured after has to be seen again.
void MicroBatchGraphs::run(const Zero::Work& work, const std::function<void()>& compute) {
  const auto [found, first] = entries_.try_emplace(work);
  Entry& entry = found->second;
  if (first || entry.graph) {
    entry = {};
    return compute();
  }
  const double flops = profiler_.total_flops(), again = profiler_.total_recompute_flops();
  entry.graph = device_.capture(compute);
  entry.flops = profiler_.total_flops() - flops;
  entry.recompute_flops = profiler_.total_recompute_flops() - again;
}

}  // namespace edt
