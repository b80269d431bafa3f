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

AppendFile::AppendFile(std::filesystem::path path, std::uint64_t keep_bytes)
    : path_(std::move(path)) {
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
}

// Where another file has the name, another process has taken over.
void AppendFile::begin_anew_where_removed() {
  struct stat held {};
  std::error_code ignored;
  if (fstat(file_, &held) != 0 || held.st_nlink > 0) return;
  if (std::filesystem::exists(path_, ignored) || ignored) return;
  if (!std::filesystem::exists(path_.parent_path(), ignored)) return;  // others will say that
  log::warning("[file] {} was removed while it was in use: what it held is lost, it begins anew",
               path_.string());
  close(file_);
  open();
}

void AppendFile::append(std::string_view bytes) {
  begin_anew_where_removed();
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
