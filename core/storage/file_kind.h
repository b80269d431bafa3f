// What a file is, told from its content, not from its name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

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
  kGitLfs,   // what Git has in the place of a file that was not fetched
  kWebPage,  // what a download leaves that was answered otherwise
};

// DataError where there is no such file.
FileKind kind_of_file(const std::filesystem::path& path);

// "a tar archive: unpack it first": what it is, and what to do where arrays or weights are needed.
std::string_view described(FileKind kind);

// Where a file could not be read as one of `expected`: DataError that says what else it is, where
// that can be told.
void refuse_other_kind(const std::filesystem::path& path, std::span<const FileKind> expected,
                       std::string_view where);

// ", convert it: python3 -c ...": what makes safetensors of weights in other files, as a line for a
// shell; empty where there is nothing to say.
std::string way_to_safetensors(FileKind kind, const std::filesystem::path& path);

}  // namespace edt
