// safetensors files: an 8-byte header length, a JSON header, then the tensors. Nothing in a file is
// believed before it is checked: types, shapes against offsets, overlaps, ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/storage/durable_file.h"
#include "core/storage/input_file.h"

namespace edt {

enum class SafetensorsType : std::uint8_t {
  kF16,
  kBF16,
  kF32,
  kF64,
  kI32,
  kI64,
  kBool,
  kI8,
  kU8,
  kI16,
  kU16,
  kU32,
  kU64,
  kF8E4M3,  // these two can be listed, not read
  kF8E5M2,
};

std::string_view name_of(SafetensorsType type);  // "F16"
std::size_t size_of(SafetensorsType type);
bool is_floating(SafetensorsType type);

struct SafetensorsEntry {
  std::string name;
  SafetensorsType type = SafetensorsType::kF32;
  std::vector<std::uint64_t> shape;
  std::uint64_t offset = 0;  // in the file; the writer sets it
  std::uint64_t bytes = 0;   // likewise

  std::uint64_t elements() const { return bytes / size_of(type); }
};

using SafetensorsMetadata = std::map<std::string, std::string>;

class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& path);

  const std::vector<SafetensorsEntry>& entries() const { return entries_; }  // in file order
  const SafetensorsMetadata& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return file_.path(); }

  const SafetensorsEntry* find(std::string_view name) const;  // nullptr: there is none
  // DataError that lists those there are: there is none.
  const SafetensorsEntry& entry(std::string_view name) const;

  // Elements first ... first + out.size() - 1, converted. Integers are refused for float output,
  // all but integers for int32 output; as double any numbers are read (beyond 2^53 rounded).
  void read(const SafetensorsEntry& entry, std::uint64_t first, std::span<float> out) const;
  void read(const SafetensorsEntry& entry, std::uint64_t first, std::span<std::int32_t> out) const;
  void read(const SafetensorsEntry& entry, std::uint64_t first, std::span<double> out) const;

 private:
  template <class Out>
  void read_as(const SafetensorsEntry& entry, std::uint64_t first, std::span<Out> out) const;
  std::vector<std::byte> read_raw(const SafetensorsEntry& entry, std::uint64_t first,
                                  std::uint64_t count) const;

  InputFile file_;
  std::vector<SafetensorsEntry> entries_;
  SafetensorsMetadata metadata_;
};

// Header first, then the data of every entry in the given order, in pieces of any size.
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::filesystem::path& path, std::vector<SafetensorsEntry> entries,
                    const SafetensorsMetadata& metadata = {});
  void append(std::span<const std::byte> bytes) { file_.write(bytes); }
  template <class T>
  void append_values(std::span<const T> values) {
    append(std::as_bytes(values));
  }
  // Throws when data are missing. Without finish() nothing is left behind.
  void finish();

 private:
  DurableFile file_;
  std::uint64_t expected_ = 0;
};

}  // namespace edt
