// The bytes of an archive at any offset: of a file as it is, or of what a compressed one unpacks
// to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace edt::data {

class Archive {
 public:
  // gzip, zstd and xz are told by their content. DataError or SystemError where it cannot be read.
  static std::unique_ptr<Archive> open(const std::filesystem::path& path);
  virtual ~Archive() = default;
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // Bytes from `offset` on: as many as there are, at most those of `out`; 0: the archive has ended.
  virtual std::size_t read_some(std::uint64_t offset, std::span<std::byte> out) = 0;
  // Fills `out`; DataError where the archive ends before.
  void read(std::uint64_t offset, std::span<std::byte> out);
  // Its size where that is known, else more than any has.
  virtual std::uint64_t most_bytes() const = 0;
  // Any order is as quick as forwards, and several threads may read at once. Else going back a
  // long way begins from the start.
  virtual bool any_order() const = 0;

 protected:
  explicit Archive(std::filesystem::path path) : path_(std::move(path)) {}

 private:
  std::filesystem::path path_;
};

}  // namespace edt::data
