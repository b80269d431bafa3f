#include "core/storage/hdf5_library.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace edt {

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

// HDF5's default driver calls flock() on the file it opens.
std::string hdf5_locking_problem(const std::filesystem::path& directory) {
  std::string name = (directory / ".edt-lock-XXXXXX").string();
  const int file = mkstemp(name.data());
  if (file < 0) return fmt::format("cannot create a file: {}", std::strerror(errno));
  std::string problem;
  if (flock(file, LOCK_EX | LOCK_NB) != 0) problem = std::strerror(errno);
  close(file);
  unlink(name.c_str());
  return problem;
}

}  // namespace edt
