// One array of a shard: a row of values for each sample, read as they are stored. Blocks of rows
// that have checksums are verified when they are first touched.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/storage/hdf5.h"
#include "core/storage/input_file.h"
#include "data/block_cache.h"

namespace edt::data {

// Of `blocks` blocks of the array `name`. DataError where there are others.
std::vector<std::uint64_t> read_checksums(const h5::File& file, const std::string& name,
                                          std::uint64_t blocks);

class ShardArray {
 public:
  // `name` in `file`, of `type` and `shape`, whose first extent counts samples: DataError where it
  // is another one. `bytes` is the file as it lies on disk and outlives the array, as `cache` does.
  // `block`: samples of each checksum; 0: there are none. `row` is what messages call a sample.
  ShardArray(const h5::File& file, const InputFile& bytes, const std::string& name, h5::Type type,
             const h5::Shape& shape, std::uint64_t block, BlockCache& cache,
             const char* row = "sample");

  std::uint64_t samples() const { return samples_; }
  std::uint64_t sample_elements() const { return elements_; }
  bool has_checksums() const { return !checksums_.empty(); }
  std::uint64_t sample_bytes() const { return elements_ * h5::size_of(type_); }
  // False where HDF5 has to be asked for values: the file is kept open then.
  bool is_raw() const { return set_ == nullptr; }

  // The bytes of samples first ... first + count - 1: in the mapped file, or read into `scratch`.
  // With `verify`, blocks not seen before are checked first. What is read counts after
  // require_written() and InputFile::require_mapping_kept().
  std::span<const std::byte> read(std::uint64_t first, std::uint64_t count, bool verify,
                                  std::vector<std::byte>& scratch) const;
  // Without checksums nothing else tells a sample that was never written: all of its values are
  // what HDF5 fills in. DataError.
  void require_written(std::uint64_t first, std::span<const std::byte> bytes) const;
  // Of float16 and float32: the same as float32, of which each is finite (DataError with the
  // sample). Memory at `next` is brought nearer meanwhile.
  void read(std::uint64_t first, std::uint64_t count, bool verify, std::vector<std::byte>& scratch,
            std::span<float> out, std::span<const std::byte> next = {}) const;

  // The bytes of a sample where they lie in mapped memory; else nothing.
  std::span<const std::byte> mapped(std::uint64_t sample) const;
  // Samples that HDF5 decodes for each one that is read (1: none), and how many bytes that are in
  // all.
  double decoded_samples() const;
  std::uint64_t decoded_bytes() const;
  std::vector<std::filesystem::path> other_files() const;
  void require_kept() const;

  // Every block against its checksum.
  void verify() const;

 private:
  std::span<const std::byte> stored(std::uint64_t first, std::uint64_t count,
                                    std::vector<std::byte>& scratch) const;
  void read_by_hdf5(std::uint64_t first, std::uint64_t count, std::span<std::byte> out) const;
  void verify_block(std::uint64_t block, std::vector<std::byte>& scratch) const;
  // False when a value is not finite.
  bool convert(std::span<const std::byte> bytes, std::span<float> out,
               std::span<const std::byte> next = {}) const;
  void refuse_not_finite(std::uint64_t first, std::uint64_t count,
                         std::span<const float> values) const;
  bool is_floating() const { return type_ == h5::Type::kFloat16 || type_ == h5::Type::kFloat32; }

  const InputFile* bytes_;
  BlockCache* cache_;
  const char* row_;
  std::string where_;  // the file, and the array where that is not latents or moments
  h5::Type type_;
  std::uint64_t samples_, elements_, block_;
  std::unique_ptr<h5::DataSet> set_;      // only when the elements are not raw in the file
  std::uint64_t offset_ = 0;              // of raw elements
  std::uint64_t decoded_ = 0;             // samples that are decoded together; 0: none are
  std::vector<std::uint64_t> checksums_;  // per block
  std::vector<std::byte> fill_;           // a value that was never written; empty with checksums
  std::unique_ptr<std::atomic<bool>[]> verified_;
};

}  // namespace edt::data
