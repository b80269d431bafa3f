// manifest.json: what a checkpoint holds and where each fragment lies.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "parallel/checkpoint/state.h"

namespace edt {

struct StoredFile {
  std::string name;  // "rank-0000.h5"
  std::uint64_t bytes = 0;
  std::uint64_t checksum = 0;  // of the whole file
};

struct StoredFragment {
  std::size_t tensor = 0;
  Region region;
  std::size_t file = 0;
  std::vector<std::uint64_t> checksums;  // one per array, of the values as float32
};

struct StoredExtra {
  std::string name;
  std::string type;  // "float32", "float64", "int32", "int64"
  std::int64_t elements = 0;
  std::uint64_t checksum = 0;
};

struct Manifest {
  CheckpointInfo info;
  std::vector<LogicalTensor> tensors;
  std::vector<std::string> arrays;
  std::vector<std::string> half_arrays;  // of them, those whose values lie in the files as float16
  std::vector<StoredFile> files;
  std::vector<StoredFragment> fragments;
  std::vector<StoredExtra> extras;  // in files[0]

  bool has_array(std::string_view name) const { return array_index(name) < arrays.size(); }
  std::size_t array_index(std::string_view name) const;  // arrays.size(): there is none
  bool is_half(std::size_t array) const;
};

inline constexpr std::string_view kManifestName = "manifest.json";
// Holds the checksum of the manifest; written last, so its presence means complete.
inline constexpr std::string_view kMarkerName = "complete";
inline constexpr int kCheckpointVersion = 1;

std::string to_json_text(const Manifest& manifest);

// The manifest of one rank's fragments, or of a whole checkpoint, whose fragments cover each tensor
// once.
enum class Extent { kOneRank, kWhole };

// Throws CheckpointError unless the text is a consistent manifest of that extent. `where` names the
// file in messages.
Manifest parse_manifest(std::string_view text, std::string_view where,
                        Extent extent = Extent::kWhole);

// One manifest of all ranks' fragments; files and fragments in the order of `parts`.
Manifest merge(std::vector<Manifest> parts);

// Names inside a rank file.
std::string dataset_name(const Manifest& manifest, std::size_t array,
                         const StoredFragment& fragment);
std::string extra_dataset_name(std::string_view extra);

}  // namespace edt
