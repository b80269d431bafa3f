// Writes a data set shard by shard. A shard has its name only when it is complete, so an
// interrupted writer leaves nothing that looks complete, and the next one continues behind the last
// whole shard.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/storage/partial_file.h"
#include "data/description.h"
#include "data/seal.h"
#include "data/shard.h"

namespace edt::data {

// One shard. Without finish() nothing is left behind.
class ShardWriter {
 public:
  ShardWriter(std::filesystem::path path, const Description& description, std::uint64_t samples,
              const std::optional<ShardPlace>& place);
  ~ShardWriter();

  // Some whole samples; `flipped` is empty unless the description says so. NaN, infinity, values
  // beyond float16 where that is the type, and labels out of range are DataErrors.
  void append(std::span<const float> stored, std::span<const float> flipped,
              std::span<const std::int32_t> labels);
  void finish();

  std::uint64_t written() const { return written_; }

 private:
  struct Array;
  void append_to(Array& array, std::span<const float> stored);
  void flush_block();
  ByteRange write_labels();

  std::filesystem::path path_;
  PartialFile partial_;
  Description description_;
  std::uint64_t samples_, block_samples_, written_ = 0, first_sample_ = 0;
  std::unique_ptr<h5::File> file_;
  std::vector<Array> arrays_;  // latents or moments, and their flipped copies
  std::vector<std::int32_t> labels_;
};

struct DatasetWriterOptions {
  std::uint64_t samples_per_shard = 16384;
};

// All shards of a data set whose size is known.
class DatasetWriter {
 public:
  // Creates the directory. Shards of the same description and size that are already there are kept;
  // others are a DataError.
  DatasetWriter(std::filesystem::path directory, Description description, std::uint64_t samples,
                const DatasetWriterOptions& options = {});
  ~DatasetWriter();

  // Where to go on: the samples before it are in complete shards.
  std::uint64_t next_sample() const { return next_; }
  std::uint64_t samples() const { return samples_; }
  std::uint64_t shard_count() const;
  // Samples that fit into the shard being written: append no more than this at once.
  std::uint64_t room() const;

  void append(std::span<const float> stored, std::span<const float> flipped,
              std::span<const std::int32_t> labels);
  // Throws when samples are missing.
  void finish();

 private:
  std::filesystem::path shard_path(std::uint64_t shard) const;
  ShardPlace place(std::uint64_t shard) const;
  void resume();

  std::filesystem::path directory_;
  Description description_;
  std::uint64_t samples_;
  std::uint64_t samples_per_shard_;
  std::uint64_t next_ = 0;
  std::unique_ptr<ShardWriter> shard_;
};

}  // namespace edt::data
