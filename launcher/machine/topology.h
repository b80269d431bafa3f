// Cores and memory domains (NUMA nodes) of this machine, as hwloc finds them.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace edt {

// Hardware threads, by the numbers that the system gives them.
using CoreSet = std::set<int>;
std::string cores_text(const CoreSet& cores);  // "0-15,32"; "none"
CoreSet parse_cores(std::string_view text);    // what cores_text() writes

struct MemoryDomain {
  CoreSet cores;
  std::uint64_t memory = 0;  // bytes
};

// Those with cores that this process's control group allows, none of which belongs to two; nothing
// where hwloc cannot tell.
const std::vector<MemoryDomain>& memory_domains();

// With the other hardware threads of the same cores.
CoreSet whole_cores(const CoreSet& cores);

// Where this thread and those of OpenMP run: by their affinity, or in OpenMP's places.
CoreSet bound_cores();
// Whether the environment lays OpenMP's threads out (OMP_PROC_BIND), which libgomp has done by the
// time that a program begins.
bool openmp_is_bound();

// All threads of this process run there from now on, those that it starts too. False where the
// system refuses.
bool bind_process(const CoreSet& cores);

}  // namespace edt
