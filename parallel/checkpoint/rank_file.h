// The HDF5 file of one rank: its fragments of every array, one data set each, named by array,
// logical tensor and range; extra arrays in the file of rank 0.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/storage/hdf5.h"
#include "parallel/checkpoint/manifest.h"

namespace edt {

// What the file of rank `rank` is called.
std::string rank_file_name(int rank);

// Writes all fragments of `manifest` (those of one rank), taking array a of fragment i from
// arrays[a] at offsets[i], and `extras`. Enters checksums and extras into the manifest. The file is
// synced.
void write_rank_file(const std::filesystem::path& file, Manifest& manifest,
                     std::span<const std::int64_t> offsets,
                     std::span<const std::span<const float>> arrays,
                     std::span<const ExtraArray> extras);

// Reads everything back and compares with the checksums of the manifest. CheckpointError names the
// first data set that differs.
void verify_rank_file(const std::filesystem::path& file, const Manifest& manifest,
                      std::size_t file_index);

// Reads fragments of a checkpoint, each checked against its checksum. Files stay open in between.
class FragmentReader {
 public:
  // `manifest` must outlive the reader.
  FragmentReader(std::filesystem::path directory, const Manifest& manifest);

  void read(std::size_t array, const StoredFragment& fragment, std::vector<float>& values);
  ExtraArray read(const StoredExtra& extra);

 private:
  const h5::File& file(std::size_t index);

  std::filesystem::path directory_;
  const Manifest& manifest_;
  std::map<std::size_t, h5::File> files_;
};

// Size and checksum of the bytes of a file.
StoredFile fingerprint(const std::filesystem::path& file);

}  // namespace edt
