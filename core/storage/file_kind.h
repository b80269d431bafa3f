// What a file is, told from its content, not from its name.
#pragma once

#include <cstdint>
#include <filesystem>

namespace edt {

enum class FileKind : std::uint8_t {
  kUnknown,
  kEmpty,
  kNpy,
  kZip,  // .npz among them
  kSafetensors,
  kHdf5,
  kShard,        // HDF5 behind the seal of a shard
  kTorchZip,     // torch.save since 1.6
  kTorchLegacy,  // torch.save before
  kPickle,
  kTar,
  kGzip,
  kZstd,
  kXz,
  kParquet,
  kArrow,
  kSqlite,
  kPng,
  kJpeg,
  kJson,
};

// DataError where there is no such file.
FileKind kind_of_file(const std::filesystem::path& path);

}  // namespace edt
