// What edt has written into a directory, told from the names in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace edt {

enum class DirectoryKind : std::uint8_t {
  kOther,  // nothing of edt, or not there
  kRun,
  kCheckpoint,
  kCheckpoints,  // all of a run
  kDataSet,
};

// Of a directory that is several, the first in this order: a checkpoint, checkpoints, a run.
DirectoryKind kind_of_directory(const std::filesystem::path& directory);

// "a run": what it holds.
std::string_view described(DirectoryKind kind);

}  // namespace edt
