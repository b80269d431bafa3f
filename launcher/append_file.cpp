#include "launcher/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace edt {

AppendFile::AppendFile(std::filesystem::path path, std::uint64_t keep_bytes)
    : path_(std::move(path)), file_(open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) {
  require<SystemError>(file_ >= 0, "file", "cannot open {}: {}", path_.string(),
                       std::strerror(errno));
  const auto end = static_cast<off_t>(keep_bytes);
  if (ftruncate(file_, end) != 0 || lseek(file_, end, SEEK_SET) != end) {
    const int error = errno;
    close(file_);
    fail<SystemError>("file", "cannot cut {} to {} bytes: {}", path_.string(), keep_bytes,
                      std::strerror(error));
  }
}

AppendFile::~AppendFile() { close(file_); }

void AppendFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    require<SystemError>(written > 0, "file", "cannot write {}: {}", path_.string(),
                         std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void AppendFile::sync() {
  require<SystemError>(fsync(file_) == 0, "file", "cannot sync {}: {}", path_.string(),
                       std::strerror(errno));
}

}  // namespace edt
