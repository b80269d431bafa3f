#include "core/storage/hdf5_library.h"

#include <fmt/format.h>
#include <hdf5.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>

#include "core/storage/probe_file.h"

namespace edt {

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

// HDF5's default driver calls flock() on the file it opens.
std::string hdf5_locking_problem(const std::filesystem::path& directory) {
  const ProbeFile file(directory);
  if (file.descriptor() < 0) {
    return fmt::format("cannot create a file: {}", std::strerror(file.error()));
  }
  return flock(file.descriptor(), LOCK_EX | LOCK_NB) == 0 ? "" : std::strerror(errno);
}

}  // namespace edt
