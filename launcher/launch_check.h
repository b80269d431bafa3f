// What a launcher did wrong, found before MPI is started: MPI itself would say it in many lines on
// every rank, or not at all.
#pragma once

#include <cstdint>
#include <string>

namespace edt {

// What launchers tell the processes they start.
struct Launch {
  int tasks = 1;          // started together
  int tasks_on_node = 1;  // at most, on any node
  bool first = true;      // of those tasks: it speaks for all
  bool by_srun = false, by_mpirun = false;
  bool by_torchrun = false;  // or what starts processes as it does
  bool has_pmix = false;

  static Launch of_this_process();
};

// "2(x3),1": the largest number of tasks on a node.
int largest_of(const std::string& tasks_per_node);

// Empty when ranks can be connected. `mpi_library`: "Open MPI v4.1.4, ...".
std::string connection_problem(const Launch& launch, const std::string& mpi_library);

// Ranks of a node exchange messages through /dev/shm. Empty when `free_bytes` there are enough.
std::string shared_memory_problem(int ranks, std::uint64_t free_bytes);

}  // namespace edt
