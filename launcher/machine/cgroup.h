// What the control groups of this process allow: containers and Slurm limit cores and memory here,
// and neither sysconf nor /proc/meminfo tells.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace edt {

struct CgroupLimits {
  std::optional<double> cpus;           // CPU quota, in cores
  std::optional<std::uint64_t> memory;  // bytes
  std::optional<std::uint64_t> memory_used;
};

// The tightest limits on the way from the process's group to the root, versions 1 and 2. The
// arguments are there for the tests.
CgroupLimits cgroup_limits(const std::filesystem::path& membership = "/proc/self/cgroup",
                           const std::filesystem::path& root = "/sys/fs/cgroup");

}  // namespace edt
