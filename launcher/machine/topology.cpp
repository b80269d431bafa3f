#include "launcher/machine/topology.h"

#include <fmt/format.h>
#include <hwloc.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <memory>

namespace edt {
namespace {

struct Destroy {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
  void operator()(hwloc_bitmap_t bitmap) const { hwloc_bitmap_free(bitmap); }
};
using TopologyHandle = std::unique_ptr<hwloc_topology, Destroy>;
using Bitmap = std::unique_ptr<hwloc_bitmap_s, Destroy>;

// Nothing where hwloc cannot read this machine. Without packages and groups memory domains would
// lose their cores; caches are not asked for.
TopologyHandle load() {
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) return nullptr;
  TopologyHandle handle(topology);
  hwloc_topology_set_cache_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
  return hwloc_topology_load(topology) == 0 ? std::move(handle) : nullptr;
}

CoreSet cores_of(hwloc_const_bitmap_t bitmap) {
  CoreSet cores;
  if (hwloc_bitmap_weight(bitmap) < 0) return cores;  // without end
  for (int i = hwloc_bitmap_first(bitmap); i >= 0; i = hwloc_bitmap_next(bitmap, i)) {
    cores.insert(i);
  }
  return cores;
}

CoreSet places_of_openmp() {
  CoreSet cores;
  for (int place = 0; place < omp_get_num_places(); ++place) {
    std::vector<int> members(static_cast<std::size_t>(omp_get_place_num_procs(place)));
    omp_get_place_proc_ids(place, members.data());
    cores.insert(members.begin(), members.end());
  }
  return cores;
}

// Of this thread.
CoreSet affinity() {
  const TopologyHandle topology = load();
  const Bitmap bound(hwloc_bitmap_alloc());
  if (topology && hwloc_get_cpubind(topology.get(), bound.get(), HWLOC_CPUBIND_THREAD) == 0) {
    hwloc_bitmap_and(bound.get(), bound.get(), hwloc_topology_get_allowed_cpuset(topology.get()));
    if (const CoreSet cores = cores_of(bound.get()); !cores.empty()) return cores;
  }
  CoreSet online;
  for (int core = 0; core < sysconf(_SC_NPROCESSORS_ONLN); ++core) online.insert(core);
  return online;
}

}  // namespace

std::string cores_text(const CoreSet& cores) {
  std::string text;
  for (auto first = cores.begin(); first != cores.end();) {
    auto last = first;
    while (std::next(last) != cores.end() && *std::next(last) == *last + 1) ++last;
    text += text.empty() ? "" : ",";
    text += first == last ? fmt::format("{}", *first) : fmt::format("{}-{}", *first, *last);
    first = std::next(last);
  }
  return text.empty() ? "none" : text;
}

std::vector<MemoryDomain> memory_domains() {
  const TopologyHandle topology = load();
  std::vector<MemoryDomain> domains;
  hwloc_obj_t node = nullptr;
  while (topology &&
         (node = hwloc_get_next_obj_by_type(topology.get(), HWLOC_OBJ_NUMANODE, node))) {
    MemoryDomain domain{cores_of(node->cpuset), node->attr->numanode.local_memory};
    // High-bandwidth memory beside the usual one belongs to the same cores.
    const auto same_cores = [&](const MemoryDomain& other) { return other.cores == domain.cores; };
    if (domain.cores.empty() || std::ranges::any_of(domains, same_cores)) continue;
    domains.push_back(std::move(domain));
  }
  return domains;
}

CoreSet bound_cores() {
  CoreSet cores;
  if (openmp_is_bound()) cores = places_of_openmp();
  return cores.empty() ? affinity() : cores;
}

bool openmp_is_bound() { return omp_get_proc_bind() != omp_proc_bind_false; }

bool bind_process(const CoreSet& cores) {
  const TopologyHandle topology = load();
  if (!topology || cores.empty()) return false;
  const Bitmap set(hwloc_bitmap_alloc());
  for (const int core : cores) hwloc_bitmap_set(set.get(), static_cast<unsigned>(core));
  return hwloc_set_cpubind(topology.get(), set.get(), HWLOC_CPUBIND_PROCESS) == 0;
}

}  // namespace edt
