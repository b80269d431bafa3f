#include "launcher/launch_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "launcher/text/report.h"

namespace edt {
namespace {

std::optional<std::string> variable(const char* name) {
  const char* text = std::getenv(name);
  return text ? std::optional<std::string>(text) : std::nullopt;
}

std::optional<int> number(const char* name) {
  const auto text = variable(name);
  return text ? std::optional<int>(std::atoi(text->c_str())) : std::nullopt;
}

}  // namespace

int largest_of(const std::string& tasks_per_node) {
  int largest = 1;
  for (std::size_t at = 0; at < tasks_per_node.size();) {
    largest = std::max(largest, std::atoi(tasks_per_node.c_str() + at));
    const auto comma = tasks_per_node.find(',', at);
    if (comma == tasks_per_node.npos) break;
    at = comma + 1;
  }
  return largest;
}

Launch Launch::of_this_process() {
  Launch launch;
  launch.by_mpirun = variable("OMPI_COMM_WORLD_SIZE").has_value();
  launch.by_srun = !launch.by_mpirun && variable("SLURM_STEP_NUM_TASKS").has_value();
  launch.has_pmix = variable("PMIX_RANK").has_value();
  if (launch.by_mpirun) {
    launch.tasks = number("OMPI_COMM_WORLD_SIZE").value_or(1);
    launch.tasks_on_node = number("OMPI_COMM_WORLD_LOCAL_SIZE").value_or(1);
    launch.first = number("OMPI_COMM_WORLD_RANK").value_or(0) == 0;
  } else if (launch.by_srun) {
    launch.tasks = number("SLURM_STEP_NUM_TASKS").value_or(1);
    launch.tasks_on_node = largest_of(variable("SLURM_STEP_TASKS_PER_NODE").value_or("1"));
    launch.first = number("SLURM_PROCID").value_or(0) == 0;
  } else if (variable("TORCHELASTIC_RUN_ID") && number("WORLD_SIZE").value_or(1) > 1) {
    launch.by_torchrun = true;
    launch.tasks = *number("WORLD_SIZE");
    launch.first = number("RANK").value_or(0) == 0;
  } else if (const auto rank = number("PMI_RANK")) {
    launch.first = *rank == 0;
  }
  return launch;
}

std::string connection_problem(const Launch& launch, const std::string& mpi_library) {
  if (launch.by_torchrun) {
    return fmt::format(
        "torchrun started {0} processes, which only PyTorch can connect: mpirun -np {0}, or srun",
        launch.tasks);
  }
  const bool open_mpi = mpi_library.starts_with("Open MPI");
  if (!launch.by_srun || launch.tasks <= 1 || launch.has_pmix || !open_mpi) return {};
  return fmt::format(
      "srun started {} processes without PMIx, and {} connects them by nothing else: srun "
      "--mpi=pmix (srun --mpi=list shows what this Slurm has)",
      launch.tasks, mpi_library.substr(0, mpi_library.find(',')));
}

std::string shared_memory_problem(int ranks, std::uint64_t free_bytes) {
  constexpr std::uint64_t kPerRank = std::uint64_t{4} << 20;  // Open MPI's segment
  const std::uint64_t needed = static_cast<std::uint64_t>(ranks) * kPerRank;
  if (ranks < 2 || free_bytes >= needed) return {};
  return fmt::format(
      "/dev/shm has {} free, {} ranks on one node need {}: mount it larger (containers: "
      "--shm-size)",
      human_bytes(static_cast<double>(free_bytes)), ranks,
      human_bytes(static_cast<double>(needed)));
}

}  // namespace edt
