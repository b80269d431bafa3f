#include "launcher/world.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <limits>

#include "launcher/error_agreement.h"
#include "launcher/exit_status.h"
#include "launcher/launch_check.h"
#include "launcher/machine/topology.h"
#include "parallel/comm/mpi/mpi_session.h"
#include "parallel/comm/self/self_communicator.h"

namespace edt {
namespace {

// What launchers tell the processes they start; those with a number say how many there are.
struct Sign {
  const char* variable;
  bool counts;
};
constexpr std::array kSigns{Sign{"OMPI_COMM_WORLD_SIZE", true}, Sign{"PMI_SIZE", true},
                            Sign{"SLURM_STEP_NUM_TASKS", true}, Sign{"PMIX_RANK", false},
                            Sign{"PMI_RANK", false}};

bool is_launched() {
  return std::any_of(kSigns.begin(), kSigns.end(),
                     [](const Sign& sign) { return std::getenv(sign.variable) != nullptr; });
}

// Ranks that MPI does not connect would all believe to be the only one, and write the same files.
void check_connected(int size) {
  for (const Sign& sign : kSigns) {
    const char* text = sign.counts ? std::getenv(sign.variable) : nullptr;
    if (!text) continue;
    int started = 0;
    std::from_chars(text, text + std::strlen(text), started);
    require<UsageError>(started <= 1 || size > 1, "edt",
                        "the launcher started {} processes ({}), MPI connects {}: it must be the "
                        "launcher of {}, or srun --mpi=pmix",
                        started, sign.variable, size, MpiSession::library());
  }
}

std::uint64_t free_shared_memory() {
  struct statvfs status {};
  if (statvfs("/dev/shm", &status) != 0) return std::numeric_limits<std::uint64_t>::max();
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace

World::World() {
  const Launch launch = Launch::of_this_process();
  for (const std::string& problem :
       {connection_problem(launch, MpiSession::library()),
        shared_memory_problem(launch.tasks_on_node, free_shared_memory())}) {
    require<UsageError>(problem.empty(), "edt", "{}", problem);
  }
  // One process needs no MPI, and srun without PMIx gives none.
  if (!is_launched() || (launch.by_srun && launch.tasks == 1 && !launch.has_pmix)) {
    ranks_ = make_self_communicator();
    return;
  }
  session_ = std::make_unique<MpiSession>();
  hook_ = std::make_shared<WaitHook>();
  ranks_ = session_->world({.hook = hook_});
  check_connected(ranks_->size());
  if (ranks_->size() == 1) return;
  errors_ = std::make_unique<ErrorAgreement>(*ranks_, std::cerr);
  hook_->look = [this] { errors_->look(); };
}

World::~World() {
  if (hook_) hook_->look = nullptr;
  if (session_) session_->limit_end(ranks_->timeout(), kBrokenOff, ranks_->name());
}

int World::threads_per_rank() {
  const CoreSet cores = bound_cores();
  const std::string own = ranks_->host() + ' ' + cores_text(cores);
  const auto all = ranks_->gather(own, 0, "cores of the ranks");
  std::string shares;
  for (const std::string& one : all) {
    shares += fmt::format("{} ", std::count(all.begin(), all.end(), one));
  }
  shares = ranks_->broadcast(shares, 0, "ranks on the same cores");
  const char* text = shares.c_str();
  char* end = nullptr;
  long sharing = 1;
  for (int rank = 0; rank <= ranks_->rank(); ++rank, text = end) {
    sharing = std::strtol(text, &end, 10);
  }
  return std::max(1, static_cast<int>(cores.size()) / static_cast<int>(sharing));
}

}  // namespace edt
