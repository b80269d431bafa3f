// A file opened for reading at any offset. Safe to share between threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace edt {

class InputFile {
 public:
  explicit InputFile(std::filesystem::path path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;

  // Fills `out` from `offset`; a file that ends before is a DataError.
  void read(std::uint64_t offset, std::span<std::byte> out) const;
  template <class T>
  void read_values(std::uint64_t offset, std::span<T> out) const {
    read(offset, std::as_writable_bytes(out));
  }

  // Maps the whole file, once; later reads need no system call. False where that is impossible.
  bool map();
  // Bytes of a mapped file, which are there (a range beyond its end is a DataError).
  std::span<const std::byte> mapped(std::uint64_t offset, std::uint64_t size) const;
  bool is_mapped() const { return mapping_ != nullptr; }

  std::uint64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::uint64_t size_ = 0;
  int descriptor_ = -1;
  const std::byte* mapping_ = nullptr;
};

}  // namespace edt
