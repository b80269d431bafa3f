#include "launcher/commands/job_memory.h"

#include <fmt/format.h>

#include <algorithm>

#include "launcher/memory/memory_check.h"
#include "launcher/plan/cluster_file.h"
#include "launcher/slurm/slurm_site.h"

namespace edt {
namespace {

std::string each_of(int ranks, const std::string& node) {
  return ranks == 1 ? node : fmt::format("each of the {} ranks on {}", ranks, node);
}

RankMemory on_devices(const SlurmRequest& request) {
  if (request.plan_cluster.empty()) return {.where = "of GPUs: name them with --plan-cluster"};
  const Cluster cluster = read_cluster(request.plan_cluster);
  const int ranks = request.ranks_of_node(), gpus = request.gpus_per_node;
  const int sharing = std::max(1, (ranks + gpus - 1) / gpus);
  return {cluster.memory / sharing, cluster.process_memory,
          each_of(sharing, "a device of " + cluster.name)};
}

RankMemory on_nodes(const SlurmRequest& request) {
  const int ranks = request.ranks_of_node();
  if (const auto asked = request.node_memory()) {
    const std::string text = request.memory.empty() ? "its --mem" : "--mem " + request.memory;
    return {*asked / ranks, kProcessBytes, each_of(ranks, "a node with " + text)};
  }
  if (!request.plan_cluster.empty()) {
    const Cluster cluster = read_cluster(request.plan_cluster);
    return {cluster.memory * cluster.devices / ranks, cluster.process_memory,
            each_of(ranks, "a node of " + cluster.name)};
  }
  if (const auto largest = probe_largest_node(request.partition)) {
    const std::string node = request.partition.empty()
                                 ? "the largest node"
                                 : "the largest node of partition " + request.partition;
    return {*largest / ranks, kProcessBytes, each_of(ranks, node)};
  }
  return {.where = "of the nodes: give --mem or --plan-cluster"};
}

}  // namespace

RankMemory memory_of_rank(const SlurmRequest& request, bool on_gpus) {
  return on_gpus ? on_devices(request) : on_nodes(request);
}

std::string check_job_memory(const PlannedStep& step, const RankMemory& memory) {
  if (memory.bytes == 0) {
    return fmt::format("whether the run fits was not checked, as nothing is known of the memory {}",
                       memory.where);
  }
  require_memory(step, memory.bytes, memory.where, memory.process_bytes);
  return {};
}

}  // namespace edt
