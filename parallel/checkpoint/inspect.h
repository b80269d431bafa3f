// What `edt ckpt info` and `edt ckpt verify` say about the checkpoints of a run.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "parallel/checkpoint/checkpoint.h"

namespace edt {

struct CheckpointSummary {
  std::filesystem::path path;
  std::int64_t step = 0;
  std::string problem;               // empty: intact as far as was looked
  std::optional<Manifest> manifest;  // nothing where it cannot be read
  std::uint64_t bytes = 0;
};

enum class Depth {
  kManifest,   // marker, manifest and sizes of files
  kFiles,      // every byte of every file
  kFragments,  // and every data set: readable, of its shape, with its checksum
};

// `path`: a checkpoint, a directory of them or a run directory. Newest first. CheckpointError where
// there is none at all.
std::vector<CheckpointSummary> inspect_checkpoints(const std::filesystem::path& path, Depth depth);

}  // namespace edt
