#include "core/storage/held_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "core/storage/durable_file.h"

namespace edt {

namespace fs = std::filesystem;

namespace {

// False where the name leads nowhere.
bool look_at(const fs::path& path, struct stat& status) {
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT && errno != ENOTDIR) fail_errno("look at", path);
  return false;
}

}  // namespace

// A descriptor of the place alone: it takes no rights to read, and neither the number of the
// directory nor its disk goes to others while it is open.
HeldDirectory::HeldDirectory(fs::path path)
    : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
  struct stat status {};
  if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) fail_errno("open", path_);
  device_ = status.st_dev;
  number_ = status.st_ino;
}

HeldDirectory::~HeldDirectory() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

HeldDirectory::HeldDirectory(HeldDirectory&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      device_(other.device_),
      number_(other.number_) {}

HeldDirectory& HeldDirectory::operator=(HeldDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(device_, other.device_);
  std::swap(number_, other.number_);
  return *this;
}

bool HeldDirectory::has_its_name() const {
  struct stat status {};
  return look_at(path_, status) && status.st_dev == device_ && status.st_ino == number_;
}

bool HeldDirectory::is_replaced_alike() const {
  struct stat status {};
  return look_at(path_, status) && S_ISDIR(status.st_mode) && status.st_dev == device_;
}

// The kernel knows the name of what is open.
fs::path HeldDirectory::present_name() const {
  std::error_code unknown;
  const fs::path name = fs::read_symlink("/proc/self/fd/" + std::to_string(descriptor_), unknown);
  struct stat status {};
  const bool leads_here = !unknown && ::stat(name.c_str(), &status) == 0 &&
                          status.st_dev == device_ && status.st_ino == number_;
  return leads_here ? name : fs::path();
}

}  // namespace edt
