// A file mapped for reading, whose bytes can go meanwhile: it is cut short, or its disk fails. The
// kernel then sends SIGBUS, which would end the program without a word. Here zeros take the place
// of the page, and the mapping remembers it: readers ask before they believe what they have read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace edt {

class Mapping {
 public:
  // The first `size` bytes of an open file; nullptr where they cannot be mapped.
  static std::unique_ptr<Mapping> of(int descriptor, std::uint64_t size);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  // True from the first read of a byte on that was gone.
  bool has_lost_bytes() const;

  struct Watch;

 private:
  explicit Mapping(std::span<const std::byte> bytes);

  std::span<const std::byte> bytes_;
  Watch* watch_;
};

}  // namespace edt
