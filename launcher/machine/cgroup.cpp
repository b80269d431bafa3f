#include "launcher/machine/cgroup.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace edt {
namespace {

namespace fs = std::filesystem;

// The number at the start of `file`; nothing for "max", a negative number or no such file.
std::optional<double> first_number(const fs::path& file) {
  std::ifstream stream(file);
  double number = 0;
  if (!(stream >> number) || number < 0) return std::nullopt;
  return number;
}

// Calls `visit` for `group` below `root` and each of its parents, root included. Inside a container
// the group's own path may be missing; the root then holds the limits.
template <class Visit>
void for_each_level(const fs::path& root, const fs::path& group, Visit visit) {
  for (fs::path level = group.relative_path();; level = level.parent_path()) {
    visit(root / level);
    if (level.empty()) return;
  }
}

template <class T>
void tighten(std::optional<T>& limit, std::optional<double> other) {
  if (other && (!limit || static_cast<T>(*other) < *limit)) limit = static_cast<T>(*other);
}

std::optional<double> quotient(std::optional<double> quota, std::optional<double> period) {
  if (!quota || !period || *period <= 0) return std::nullopt;
  return *quota / *period;
}

void tighten_memory(CgroupLimits& limits, const fs::path& limit, const fs::path& used) {
  constexpr double kUnlimited = 1e18;  // version 1 writes 2^63 rounded to pages
  const auto bytes = first_number(limit);
  if (!bytes || *bytes > kUnlimited) return;
  if (limits.memory && *limits.memory <= *bytes) return;
  limits.memory = static_cast<std::uint64_t>(*bytes);
  if (const auto now = first_number(used)) limits.memory_used = static_cast<std::uint64_t>(*now);
}

void read_version_2(CgroupLimits& limits, const fs::path& root, const fs::path& group) {
  for_each_level(root, group, [&](const fs::path& level) {
    std::ifstream stream(level / "cpu.max");  // "max 100000" or "150000 100000"
    double quota = 0, period = 0;
    if (stream >> quota >> period && period > 0) tighten(limits.cpus, quota / period);
    tighten_memory(limits, level / "memory.max", level / "memory.current");
  });
}

void read_version_1(CgroupLimits& limits, const fs::path& root, const std::string& controllers,
                    const fs::path& group) {
  for_each_level(root / controllers, group, [&](const fs::path& level) {
    tighten(limits.cpus, quotient(first_number(level / "cpu.cfs_quota_us"),
                                  first_number(level / "cpu.cfs_period_us")));
    tighten_memory(limits, level / "memory.limit_in_bytes", level / "memory.usage_in_bytes");
  });
}

}  // namespace

CgroupLimits cgroup_limits(const fs::path& membership, const fs::path& root) {
  CgroupLimits limits;
  std::ifstream stream(membership);
  std::string line;  // "0::/group" or "4:cpu,cpuacct:/group"
  while (std::getline(stream, line)) {
    const auto first = line.find(':');
    const auto second = line.find(':', first == line.npos ? first : first + 1);
    if (second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      read_version_2(limits, root, group);
    } else {
      read_version_1(limits, root, controllers, group);
    }
  }
  return limits;
}

}  // namespace edt
