#include "launcher/run/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/durable_file.h"

namespace edt {

namespace {

// The first `bytes` bytes of a file.
std::string start_of(const std::filesystem::path& path, std::uint64_t bytes) {
  std::string text(bytes, '\0');
  std::ifstream stream(path, std::ios::binary);
  stream.read(text.data(), static_cast<std::streamsize>(bytes));
  require<SystemError>(bytes == 0 || stream.good(), "file", "cannot read {} bytes of {}", bytes,
                       path.string());
  return text;
}

}  // namespace

AppendFile::AppendFile(std::filesystem::path path, std::uint64_t keep_bytes,
                       std::function<void()> may_write)
    : path_(std::move(path)), may_write_(std::move(may_write)) {
  std::error_code ignored;  // a device has no start to keep
  if (std::filesystem::is_regular_file(path_, ignored)) {
    write_text_atomically(path_, start_of(path_, keep_bytes));
  }
  open();
}

AppendFile::~AppendFile() { close(file_); }

void AppendFile::open() {
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) fail_errno("open", path_);
  is_followed_ = fate() == Fate::kThere;  // some file systems number a file as they like
}

AppendFile::Fate AppendFile::fate() const {
  struct stat held {
  }, named{};
  if (fstat(file_, &held) != 0) return Fate::kThere;  // what is written will say it
  if (stat(path_.c_str(), &named) != 0) {
    std::error_code ignored;
    const bool is_gone = errno == ENOENT && std::filesystem::exists(path_.parent_path(), ignored);
    return !is_gone ? Fate::kThere : held.st_nlink == 0 ? Fate::kRemoved : Fate::kMoved;
  }
  const bool is_same = held.st_ino == named.st_ino && held.st_dev == named.st_dev;
  return is_same || !may_write_ ? Fate::kThere : Fate::kReplaced;
}

void AppendFile::follow_the_name() {
  const Fate found = is_followed_ ? fate() : Fate::kThere;
  if (found == Fate::kThere) return;
  if (may_write_) may_write_();
  std::error_code ignored;
  require<SystemError>(found != Fate::kReplaced || std::filesystem::is_regular_file(path_, ignored),
                       "file", "{} is no regular file any more", path_.string());
  log::warning("[file] {} was {}", path_.string(),
               found == Fate::kRemoved
                   ? "removed while it was in use: what it held is lost, it begins anew"
               : found == Fate::kMoved
                   ? "moved away while it was in use: it begins anew"
                   : "replaced by another file while it was in use: what follows is added to that");
  close(file_);
  open();
}

void AppendFile::append(std::string_view bytes) {
  follow_the_name();
  while (!bytes.empty()) {
    const ssize_t written = write(file_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_errno("write", path_);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void AppendFile::sync() {
  if (fsync(file_) != 0) fail_errno("sync", path_);
}

}  // namespace edt
