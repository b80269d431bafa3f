#include "launcher/machine/machine.h"

#include <fmt/format.h>
#include <omp.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/cpu/cpu_library.h"
#include "launcher/machine/cgroup.h"
#include "launcher/machine/cores.h"
#include "launcher/machine/topology.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

// The text after "name :" in a file of /proc, the first time it occurs.
std::string proc_field(const char* file, std::string_view name) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const auto colon = line.find(':');
    if (colon == line.npos || !line.starts_with(name)) continue;
    const std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    if (key != name) continue;
    const auto begin = line.find_first_not_of(" \t", colon + 1);
    return begin == line.npos ? "" : line.substr(begin);
  }
  return "";
}

std::uint64_t proc_kibibytes(std::string_view name) {
  std::uint64_t kibibytes = 0;
  std::istringstream(proc_field("/proc/meminfo", name)) >> kibibytes;
  return kibibytes * 1024;
}

std::vector<std::string> vector_units() {
  constexpr std::array kInteresting{"avx2",     "fma",   "avx512f", "avx512_bf16", "amx_tile",
                                    "amx_bf16", "asimd", "sve",     "bf16"};
  // "flags" on x86-64, "Features" on arm64.
  const std::string flags = fmt::format(" {}{} ", proc_field("/proc/cpuinfo", "flags"),
                                        proc_field("/proc/cpuinfo", "Features"));
  std::vector<std::string> units;
  for (const char* unit : kInteresting) {
    if (flags.find(fmt::format(" {} ", unit)) != flags.npos) units.emplace_back(unit);
  }
  return units;
}

int cores_usable() { return static_cast<int>(bound_cores().size()); }

// Where there is no /proc, as in a bare chroot, the kernel itself says less.
void probe_memory(Machine& machine) {
  machine.memory_total = proc_kibibytes("MemTotal");
  machine.memory_available = proc_kibibytes("MemAvailable");
  struct sysinfo info {};
  if (machine.memory_total > 0 || sysinfo(&info) != 0) return;
  machine.memory_total = std::uint64_t{info.totalram} * info.mem_unit;
  machine.memory_available = (std::uint64_t{info.freeram} + info.bufferram) * info.mem_unit;
}

void probe_limits(Machine& machine) {
  const CgroupLimits group = cgroup_limits();
  machine.cpu_quota = group.cpus;
  probe_memory(machine);
  if (group.memory && *group.memory < machine.memory_total) {
    const std::uint64_t used = std::min(group.memory_used.value_or(0), *group.memory);
    machine.memory_total = *group.memory;
    machine.memory_available = std::min(machine.memory_available, *group.memory - used);
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) machine.open_files = limit.rlim_cur;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    machine.largest_file = limit.rlim_cur;
  }
}

}  // namespace

Machine probe_machine() {
  Machine machine;
  utsname names{};
  uname(&names);
  machine.host = names.nodename;
  machine.system = fmt::format("{} {} {}", names.sysname, names.release, names.machine);
  machine.cpu_model = proc_field("/proc/cpuinfo", "model name");
  if (machine.cpu_model.empty()) machine.cpu_model = names.machine;
  machine.vector_units = vector_units();
  machine.onednn_isa = onednn_isa();
  machine.native_bf16 = onednn_has_native_bf16();
  machine.cores_online = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  machine.cores_usable = cores_usable();
  machine.openmp_threads = omp_get_max_threads();
  probe_limits(machine);
  return machine;
}

double usable_cores() {
  const auto quota = cgroup_limits().cpus;
  const double cores = cores_usable();
  return quota ? std::min(cores, *quota) : cores;
}

std::string crowded_threads(int threads, double cores) {
  return fmt::format("{} OpenMP threads share {:.3g} cores: set OMP_NUM_THREADS={}", threads, cores,
                     std::max(1, static_cast<int>(cores)));
}

std::string machine_text(const Machine& machine) {
  return fmt::format("{}, {}, {} threads on {} cores, {} of memory", machine.host,
                     machine.cpu_model, machine.openmp_threads, machine.cores_usable,
                     human_bytes(static_cast<double>(machine.memory_total)));
}

std::vector<Finding> findings(const Machine& machine, int ranks) {
  std::vector<Finding> all;
  const double all_cores = machine.cpu_quota
                               ? std::min<double>(machine.cores_usable, *machine.cpu_quota)
                               : machine.cores_usable;
  const double cores = std::max(1.0, all_cores / ranks);
  if (machine.openmp_threads > cores) {
    all.push_back({false, crowded_threads(machine.openmp_threads, cores)});
  } else if (machine.openmp_threads + 1 <= cores) {
    all.push_back({false, fmt::format("{}{} leave{} cores idle, {:.3g} are usable",
                                      counted(static_cast<std::uint64_t>(machine.openmp_threads),
                                              "OpenMP thread"),
                                      ranks > 1 ? fmt::format(" of each of {} ranks", ranks) : "",
                                      machine.openmp_threads == 1 ? "s" : "", cores)});
  }
  if (!machine.native_bf16) {
    all.push_back({false, fmt::format("no native bf16 in oneDNN's {}: bf16 will be slower than "
                                      "float32 here",
                                      machine.onednn_isa)});
  }
  constexpr std::uint64_t kLittleMemory = std::uint64_t{2} << 30;
  if (machine.memory_available < kLittleMemory) {
    all.push_back({false, fmt::format("only {} of memory available, training needs at least {}",
                                      human_bytes(static_cast<double>(machine.memory_available)),
                                      human_bytes(kLittleMemory))});
  }
  constexpr std::uint64_t kFewFiles = 256;
  if (machine.open_files < kFewFiles) {
    all.push_back({true, fmt::format("at most {} open files (ulimit -n), shards and checkpoints "
                                     "need {}",
                                     machine.open_files, kFewFiles)});
  }
  if (machine.largest_file) {
    all.push_back({false, fmt::format("files are limited to {} (ulimit -f): larger shards and "
                                      "checkpoints cannot be written",
                                      human_bytes(static_cast<double>(*machine.largest_file)))});
  }
  return all;
}

nlohmann::ordered_json to_json(const Machine& machine) {
  const auto or_null = [](const auto& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
  };
  return {{"host", machine.host},
          {"system", machine.system},
          {"cpu_model", machine.cpu_model},
          {"vector_units", machine.vector_units},
          {"onednn_isa", machine.onednn_isa},
          {"native_bf16", machine.native_bf16},
          {"cores_online", machine.cores_online},
          {"cores_usable", machine.cores_usable},
          {"cpu_quota", or_null(machine.cpu_quota)},
          {"openmp_threads", machine.openmp_threads},
          {"memory_total_bytes", machine.memory_total},
          {"memory_available_bytes", machine.memory_available},
          {"open_files", machine.open_files},
          {"largest_file_bytes", or_null(machine.largest_file)}};
}

}  // namespace edt
