// XXH3-64 checksums of blocks of data, as they are stored in shards and checkpoint manifests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace edt {

std::uint64_t checksum(std::span<const std::byte> bytes);

template <class T>
std::uint64_t checksum_of(std::span<const T> values) {
  return checksum(std::as_bytes(values));
}

// The same value as checksum() of everything that was added.
class StreamingChecksum {
 public:
  StreamingChecksum();
  ~StreamingChecksum();
  void add(std::span<const std::byte> bytes);
  std::uint64_t value() const;
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// 16 hexadecimal digits, and back. parse_checksum throws DataError on anything else.
std::string checksum_text(std::uint64_t value);
std::uint64_t parse_checksum(std::string_view text);

}  // namespace edt
