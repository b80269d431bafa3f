// The part of machine.h that looks at a directory.
#include <fmt/format.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/storage/hdf5_library.h"
#include "core/storage/probe_file.h"
#include "launcher/machine/machine.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

std::string file_system_name(std::uint64_t type) {
  constexpr std::array<std::pair<std::uint64_t, std::string_view>, 12> kNames{{
      {0xef53, "ext4"},
      {0x58465342, "xfs"},
      {0x9123683e, "btrfs"},
      {0x2fc12fc1, "zfs"},
      {0x01021994, "tmpfs"},
      {0x794c7630, "overlay"},
      {0x6969, "nfs"},
      {0x0bd00bd0, "lustre"},
      {0x47504653, "gpfs"},
      {0x19830326, "beegfs"},
      {0x65735546, "fuse"},
      {0x00c36400, "ceph"},
  }};
  for (const auto& [magic, name] : kNames) {
    if (magic == type) return std::string(name);
  }
  return fmt::format("{:#x}", type);
}

fs::path normal(const fs::path& directory) {
  fs::path path = fs::absolute(directory).lexically_normal();
  return path.has_filename() ? path : path.parent_path();  // "dir/"
}

fs::path nearest_existing(fs::path path) {
  std::error_code error;
  while (!fs::exists(path, error) && path.has_relative_path()) path = path.parent_path();
  return path;
}

// Creates, writes, syncs and removes a file. Empty when all of that works.
std::string write_problem(const fs::path& directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error)) return "not a directory";
  const ProbeFile file(directory);
  if (file.descriptor() < 0) return std::strerror(file.error());
  const std::array<char, 4096> block{};
  errno = ENOSPC;  // what a short write means
  const auto written = write(file.descriptor(), block.data(), block.size());
  const bool works = written == static_cast<ssize_t>(block.size()) && fsync(file.descriptor()) == 0;
  return works ? "" : std::strerror(errno);
}

}  // namespace

DirectoryProbe probe_directory(const fs::path& directory) {
  DirectoryProbe probe;
  require<UsageError>(!directory.empty(), "doctor", "the directory has no name");
  probe.asked = normal(directory);
  probe.path = nearest_existing(probe.asked);
  struct statfs status {};
  if (statfs(probe.path.c_str(), &status) == 0) {
    const auto block = static_cast<std::uint64_t>(status.f_bsize);
    probe.file_system = file_system_name(static_cast<std::uint64_t>(status.f_type) & 0xffffffff);
    probe.bytes_total = block * status.f_blocks;
    probe.bytes_free = block * status.f_bavail;
  }
  probe.write_problem = write_problem(probe.path);
  if (probe.write_problem.empty()) probe.locking_problem = hdf5_locking_problem(probe.path);
  return probe;
}

std::vector<Finding> findings(const DirectoryProbe& directory) {
  std::vector<Finding> all;
  const std::string path = directory.path.string();
  if (directory.asked != directory.path) {
    all.push_back(
        {false, fmt::format("{} does not exist: {} was examined", directory.asked.string(), path)});
  }
  if (!directory.write_problem.empty()) {
    all.push_back({true, fmt::format("{} cannot be written: {}", path, directory.write_problem)});
  }
  if (!directory.locking_problem.empty()) {
    // edt asks HDF5 for no locks, but the environment overrules what a program asks for.
    const char* forced = std::getenv("HDF5_USE_FILE_LOCKING");
    const bool locks = forced && (std::string_view(forced) == "TRUE" || *forced == '1');
    all.push_back(
        {locks, fmt::format("{}: files cannot be locked ({}){}", path, directory.locking_problem,
                            locks ? ", and HDF5_USE_FILE_LOCKING demands it: unset it"
                                  : "; edt needs no locks, other programs need "
                                    "HDF5_USE_FILE_LOCKING=FALSE for its files")});
  }
  constexpr std::uint64_t kLittleSpace = std::uint64_t{5} << 30;
  if (directory.bytes_free < kLittleSpace) {
    all.push_back({false, fmt::format("{}: only {} free", path,
                                      human_bytes(static_cast<double>(directory.bytes_free)))});
  }
  if (directory.file_system == "tmpfs") {
    all.push_back(
        {false, path + " is in memory (tmpfs): it counts as memory and ends with a reboot"});
  }
  return all;
}

nlohmann::ordered_json to_json(const DirectoryProbe& directory) {
  return {{"asked", directory.asked.string()},
          {"path", directory.path.string()},
          {"file_system", directory.file_system},
          {"bytes_total", directory.bytes_total},
          {"bytes_free", directory.bytes_free},
          {"writable", directory.write_problem.empty()},
          {"lockable", directory.write_problem.empty() && directory.locking_problem.empty()}};
}

}  // namespace edt
