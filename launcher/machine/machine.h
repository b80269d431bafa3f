// What this machine offers to this process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace edt {

struct Machine {
  std::string host;
  std::string system;  // "Linux 6.1.0 x86_64"
  std::string cpu_model;
  std::vector<std::string> vector_units;  // those of interest: avx2, avx512f, avx512_bf16, ...
  std::string onednn_isa;
  bool native_bf16 = false;
  int cores_online = 0;
  int cores_usable = 0;             // by affinity
  std::optional<double> cpu_quota;  // cores, by control group
  int openmp_threads = 0;
  std::uint64_t memory_total = 0;  // bytes, the smaller of the machine's and the control group's
  std::uint64_t memory_available = 0;         // bytes
  std::uint64_t open_files = 0;               // soft limit
  std::optional<std::uint64_t> largest_file;  // bytes; nothing: unlimited
};

Machine probe_machine();
// "node3, AMD EPYC 9354, 2 threads on 2 cores, 23.4 GiB of memory"
std::string machine_text(const Machine& machine);

// A directory that is to hold data or checkpoints.
struct DirectoryProbe {
  std::filesystem::path asked;  // for which there may be no directory yet
  std::filesystem::path path;   // that was probed
  std::string file_system;      // "ext4", "nfs", "lustre", ...
  std::uint64_t bytes_total = 0, bytes_free = 0;
  std::string write_problem;    // empty: a file was created, written, synced and removed
  std::string locking_problem;  // empty: HDF5 can lock files here
};

// `directory` need not exist: its nearest existing parent is probed then. UsageError where it has
// no name.
DirectoryProbe probe_directory(const std::filesystem::path& directory);

struct Finding {
  bool fails = false;  // else a warning
  std::string text;
};

// `ranks`: so many of a job share the usable cores.
std::vector<Finding> findings(const Machine& machine, int ranks = 1);
std::vector<Finding> findings(const DirectoryProbe& directory);

nlohmann::ordered_json to_json(const Machine& machine);
nlohmann::ordered_json to_json(const DirectoryProbe& directory);

}  // namespace edt
