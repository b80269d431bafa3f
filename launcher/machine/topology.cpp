#include "launcher/machine/topology.h"

#include <fmt/format.h>
#include <hwloc.h>
#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <sstream>

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

// Found once: all processes of a node look at the same time, and many cores take long.
hwloc_topology_t this_machine() {
  static const TopologyHandle topology = load();
  return topology.get();
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

// Of this thread, as the system has it, whatever hwloc was told of the machine.
CoreSet affinity() {
  CoreSet cores;
  for (int count = 1024; count <= 1 << 20; count *= 2) {
    const std::unique_ptr<cpu_set_t, decltype([](cpu_set_t* set) { CPU_FREE(set); })> set(
        CPU_ALLOC(static_cast<std::size_t>(count)));
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(count));
    if (!set || sched_getaffinity(0, bytes, set.get()) != 0) continue;  // the system has more
    for (int core = 0; core < count; ++core) {
      if (CPU_ISSET_S(static_cast<std::size_t>(core), bytes, set.get())) cores.insert(core);
    }
    return cores;
  }
  for (int core = 0; core < sysconf(_SC_NPROCESSORS_ONLN); ++core) cores.insert(core);
  return cores;
}

bool contains(const CoreSet& all, const CoreSet& some) { return std::ranges::includes(all, some); }

std::vector<MemoryDomain> find_domains() {
  std::vector<MemoryDomain> domains;
  hwloc_obj_t node = nullptr;
  const hwloc_topology_t topology = this_machine();
  while (topology && (node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node))) {
    MemoryDomain domain{cores_of(node->cpuset), node->attr->numanode.local_memory};
    // High-bandwidth memory beside the usual one belongs to the same cores, memory that is farther
    // away to those of several domains.
    const auto is_within = [&](const MemoryDomain& other) {
      return contains(domain.cores, other.cores);
    };
    if (domain.cores.empty() || std::ranges::any_of(domains, is_within)) continue;
    std::erase_if(domains,
                  [&](const MemoryDomain& other) { return contains(other.cores, domain.cores); });
    domains.push_back(std::move(domain));
  }
  return domains;
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

CoreSet parse_cores(std::string_view text) {
  CoreSet cores;
  if (text == "none") return cores;
  std::istringstream stream{std::string(text)};
  for (int first = 0, last = 0; stream >> first; stream.ignore(1, ',')) {
    last = first;
    if (stream.peek() == '-') stream.ignore(1) >> last;
    for (int core = first; core <= last; ++core) cores.insert(core);
  }
  return cores;
}

const std::vector<MemoryDomain>& memory_domains() {
  static const std::vector<MemoryDomain> domains = find_domains();
  return domains;
}

CoreSet whole_cores(const CoreSet& cores) {
  CoreSet whole = cores;
  hwloc_obj_t core = nullptr;
  const hwloc_topology_t topology = this_machine();
  while (topology && (core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core))) {
    CoreSet threads = cores_of(core->cpuset);
    const auto is_used = [&](int thread) { return cores.contains(thread); };
    if (std::ranges::any_of(threads, is_used)) whole.merge(threads);
  }
  return whole;
}

CoreSet bound_cores() {
  CoreSet cores;
  if (openmp_is_bound()) cores = places_of_openmp();
  return cores.empty() ? affinity() : cores;
}

bool openmp_is_bound() { return omp_get_proc_bind() != omp_proc_bind_false; }

bool bind_process(const CoreSet& cores) {
  const hwloc_topology_t topology = this_machine();
  if (!topology || cores.empty()) return false;
  const Bitmap set(hwloc_bitmap_alloc());
  for (const int core : cores) hwloc_bitmap_set(set.get(), static_cast<unsigned>(core));
  return hwloc_set_cpubind(topology, set.get(), HWLOC_CPUBIND_PROCESS) == 0;
}

}  // namespace edt
