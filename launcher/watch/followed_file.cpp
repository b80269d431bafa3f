#include "launcher/watch/followed_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/error.h"
#include "core/storage/durable_file.h"

namespace edt {

FollowedFile::~FollowedFile() { close(); }

FollowedFile::FollowedFile(FollowedFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      offset_(other.offset_),
      only_last_(other.only_last_),
      buffer_(std::move(other.buffer_)),
      held_(std::exchange(other.held_, 0)),
      dropping_(other.dropping_) {}

void FollowedFile::open() {
  file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // not to wait for a pipe
  if (file_ < 0 && errno != ENOENT && errno != ENOTDIR) fail_errno("cannot open", path_);
  offset_ = held_ = 0;
  dropping_ = false;
  struct stat status {};
  if (file_ < 0 || fstat(file_, &status) != 0) return;
  require<DataError>(S_ISREG(status.st_mode), "watch", "{} is no file", path_.string());
  if (only_last_ == 0) return;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > only_last_) {
    offset_ = size - only_last_;
    dropping_ = true;
  }
  only_last_ = 0;
}

void FollowedFile::close() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

// Gone files stay open: what they held still counts until another one takes the name.
bool FollowedFile::replaced() const {
  struct stat named {
  }, held{};
  if (stat(path_.c_str(), &named) != 0 || fstat(file_, &held) != 0) return false;
  return named.st_ino != held.st_ino || named.st_dev != held.st_dev ||
         static_cast<std::uint64_t>(named.st_size) < offset_;
}

bool FollowedFile::look(const OnLine& on_line, const std::function<void()>& on_new_file) {
  if (file_ < 0) open();
  if (file_ < 0) return false;
  const bool other = replaced();
  bool found = read_on(on_line);
  if (other) {
    close();
    if (on_new_file) on_new_file();
    open();
    if (file_ >= 0) read_on(on_line);
    found = true;
  }
  return found;
}

bool FollowedFile::read_on(const OnLine& on_line) {
  constexpr std::size_t kChunk = std::size_t{1} << 20;
  bool found = false;
  for (;;) {
    if (buffer_.size() < held_ + kChunk + kPadding) buffer_.resize(held_ + kChunk + kPadding);
    const ssize_t count = pread(file_, buffer_.data() + held_, kChunk, static_cast<off_t>(offset_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_errno("cannot read", path_);
    if (count == 0) break;
    offset_ += static_cast<std::uint64_t>(count);
    held_ += static_cast<std::size_t>(count);
    found = true;
    take_lines(on_line);
  }
  if (held_ == 0) std::vector<char>().swap(buffer_);
  return found;
}

void FollowedFile::take_lines(const OnLine& on_line) {
  const char* begin = buffer_.data();
  const char* const end = begin + held_;
  while (const void* newline = memchr(begin, '\n', static_cast<std::size_t>(end - begin))) {
    const char* stop = static_cast<const char*>(newline);
    if (!dropping_) on_line({begin, static_cast<std::size_t>(stop - begin)});
    dropping_ = false;
    begin = stop + 1;
  }
  held_ = static_cast<std::size_t>(end - begin);
  if (held_ > kLongestLine) {
    dropping_ = true;
    held_ = 0;
  }
  std::memmove(buffer_.data(), begin, held_);
}

}  // namespace edt
