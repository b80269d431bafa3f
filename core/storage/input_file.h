// A file opened for reading at any offset. Safe to share between threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "core/storage/mapping.h"

namespace edt {

class InputFile {
 public:
  explicit InputFile(std::filesystem::path path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;

  // Fills `out` from `offset`; a file that ends before is a DataError, one that has been cut short
  // since it was opened a SystemError.
  void read(std::uint64_t offset, std::span<std::byte> out) const;
  template <class T>
  void read_values(std::uint64_t offset, std::span<T> out) const {
    read(offset, std::as_writable_bytes(out));
  }

  // Maps the whole file, once; later reads need no system call. False where that is impossible.
  bool map();
  // Bytes of a mapped file (a range beyond its end is a DataError). They may go at any moment, so
  // what was read counts once require_kept() has returned.
  std::span<const std::byte> mapped(std::uint64_t offset, std::uint64_t size) const;
  bool is_mapped() const { return mapping_ != nullptr; }

  // SystemError when the file has been cut short since it was opened, or bytes that were read
  // through the mapping were not there.
  void require_kept() const;
  // The part of it that costs nothing: misses the rest of the last page of a file cut short.
  void require_mapping_kept() const {
    if (mapping_ && mapping_->has_lost_bytes()) fail_lost();
  }

  // When the file was last written to: nanoseconds by the clock of its file system.
  std::int64_t modified() const;

  std::uint64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::uint64_t present_size() const;
  [[noreturn]] void fail_lost() const;

  std::filesystem::path path_;
  std::uint64_t size_ = 0;
  int descriptor_ = -1;
  std::unique_ptr<Mapping> mapping_;
};

}  // namespace edt
