// The first 512 bytes of a shard, which HDF5 leaves to its user: the file's size, where the arrays
// lie, and a checksum of every byte outside them. It is checked before HDF5 sees the file, because
// HDF5 does not survive every damaged one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/storage/input_file.h"

namespace edt::data {

inline constexpr std::uint64_t kSealBytes = 512;

// Bytes [offset, offset + size) of an array that has block checksums of its own.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// Writes the seal of a closed HDF5 file that was created with kSealBytes of user block.
void write_seal(const std::filesystem::path& path, std::vector<ByteRange> arrays);

enum class Sealed : bool { kNo, kYes };

// kNo for a plain HDF5 file (written by another program); DataError when the seal does not hold or
// the file is neither.
Sealed check_seal(const InputFile& file);

}  // namespace edt::data
