#include "core/storage/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/durable_file.h"
#include "core/storage/open_to_read.h"

namespace edt {

InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)) {
  descriptor_ = open_to_read(path_);
  struct stat info {};
  const bool known = ::fstat(descriptor_, &info) == 0;
  if (!known || !S_ISREG(info.st_mode)) {
    ::close(descriptor_);
    fail<DataError>("file", "{} is not a regular file", path_.string());
  }
  size_ = static_cast<std::uint64_t>(info.st_size);
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      size_(other.size_),
      descriptor_(std::exchange(other.descriptor_, -1)),
      mapping_(std::move(other.mapping_)) {}

bool InputFile::map() {
  if (!mapping_ && size_ > 0) mapping_ = Mapping::of(descriptor_, size_);
  return is_mapped();
}

std::span<const std::byte> InputFile::mapped(std::uint64_t offset, std::uint64_t size) const {
  EDT_ASSERT(is_mapped());
  if (offset > size_ || size > size_ - offset) {
    fail<DataError>("file", "{} is truncated: it ends at byte {}, {} are needed", path_.string(),
                    size_, offset + size);
  }
  return mapping_->bytes().subspan(offset, size);
}

void InputFile::read(std::uint64_t offset, std::span<std::byte> out) const {
  std::uint64_t position = offset;
  while (!out.empty()) {
    const ssize_t done = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(position));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail_errno("read", path_);
    if (done == 0 && position < size_) fail_lost();
    if (done == 0) {
      fail<DataError>("file", "{} is truncated: it ends at byte {}, {} are needed", path_.string(),
                      position, position + out.size());
    }
    out = out.subspan(static_cast<std::size_t>(done));
    position += static_cast<std::uint64_t>(done);
  }
}

std::uint64_t InputFile::present_size() const {
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) fail_errno("ask for the size of", path_);
  return static_cast<std::uint64_t>(info.st_size);
}

std::int64_t InputFile::modified() const {
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) fail_errno("ask for the time of", path_);
  return info.st_mtim.tv_sec * std::int64_t{1'000'000'000} + info.st_mtim.tv_nsec;
}

void InputFile::require_kept() const {
  require_mapping_kept();
  if (present_size() < size_) fail_lost();
}

void InputFile::fail_lost() const {
  require<SystemError>(present_size() >= size_, "file",
                       "{} was cut short while it was in use: it has {} bytes, it had {}",
                       path_.string(), present_size(), size_);
  fail<SystemError>("file", "{} cannot be read any more: its disk or file system failed",
                    path_.string());
}

}  // namespace edt
