// Writes one array of a shard: rows wait until a whole block of them is there, which is written
// with its checksum.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/storage/hdf5.h"
#include "data/seal.h"

namespace edt::data {

// Samples of one block of checksums: it is verified as a whole when one of them is first read, so
// it stays small.
std::uint64_t block_samples(std::uint64_t sample_bytes);

class ArrayWriter {
 public:
  // Makes the array `name` of `shape`, whose first extent counts samples.
  ArrayWriter(h5::File& file, std::string name, h5::Type type, const h5::Shape& shape,
              std::uint64_t block);

  // Whole samples as they are stored.
  void append(std::span<const std::byte> samples);
  // Writes what waits and the checksums; `with_block`: their block is not that of the file.
  // Returns where the array lies.
  ByteRange finish(h5::File& file, bool with_block);

 private:
  void flush();

  std::string name_;
  h5::Type type_;
  h5::DataSet set_;
  std::uint64_t sample_bytes_, block_, written_ = 0;
  std::vector<std::byte> waiting_;
  std::vector<std::uint64_t> checksums_;
};

}  // namespace edt::data
