// Writes a data set shard by shard. A shard has its name only when it is complete, so an
// interrupted writer leaves nothing that looks complete, and the next one continues behind the last
// whole shard.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/storage/directory_lock.h"
#include "core/storage/new_directories.h"
#include "core/storage/partial_file.h"
#include "data/array_writer.h"
#include "data/description.h"
#include "data/provenance.h"
#include "data/seal.h"
#include "data/shard.h"
#include "data/text_writer.h"

namespace edt::data {

// One shard. Without finish() nothing is left behind.
class ShardWriter {
 public:
  // `text_tokens`: of all its texts, where the description has some.
  ShardWriter(std::filesystem::path path, const Description& description, std::uint64_t samples,
              const std::optional<ShardPlace>& place, std::uint64_t text_tokens = 0);
  ~ShardWriter();

  // Some whole samples; `flipped` is empty unless the description says so. NaN, infinity, values
  // beyond float16 where that is the type, and labels out of range are DataErrors. `arrays`: the
  // same samples of each array beside the latents. `texts`: theirs.
  void append(std::span<const float> stored, std::span<const float> flipped,
              std::span<const std::int32_t> labels, std::span<const StoredSamples> arrays = {},
              const StoredTexts& texts = {});
  // Everything is written, and the shard has its name.
  void finish();
  // The same in two steps: what is complete gets its name.
  void complete();
  void take_name();

  std::uint64_t written() const { return written_; }

 private:
  void open_arrays(std::uint64_t text_tokens);
  void append_to(ArrayWriter& array, std::span<const float> stored);
  void append_beside(std::span<const StoredSamples> arrays, std::size_t samples);
  ByteRange write_labels();

  std::filesystem::path path_;
  PartialFile partial_;
  Description description_;
  std::uint64_t samples_, block_samples_, written_ = 0, first_sample_ = 0;
  std::unique_ptr<h5::File> file_;
  std::vector<ArrayWriter> arrays_;  // latents or moments, and their flipped copies
  std::vector<ArrayWriter> beside_;  // of each array its values, scales, and those flipped
  std::unique_ptr<TextWriter> texts_;
  std::vector<std::byte> bytes_;
  std::vector<float> floats_;
  std::vector<std::int32_t> labels_;
};

struct DatasetWriterOptions {
  std::uint64_t samples_per_shard = 16384;
  // Of a description with texts: how many tokens that of a sample has. A shard has to have room for
  // all of its texts before the first is written.
  std::function<std::uint64_t(std::uint64_t sample)> text_tokens = {};
  // What shapes the shards, apart from their description, number and size.
  Provenance provenance = {};
  // Shards that are there are not kept: they are removed when the first new one is complete.
  bool replace = false;
};

// How a call left a data set.
struct WriteReport {
  std::uint64_t kept = 0;     // shards that were there
  std::uint64_t written = 0;  // shards
  std::string source = {};    // what was read, for people
};

// DataError where the directory holds something else that edt has written: a run, a checkpoint.
void require_place_for_shards(const std::filesystem::path& directory);

class ShardSet;

// All shards of a data set whose size is known, one after the other.
class DatasetWriter {
 public:
  // Creates the directory. Whole shards of the same provenance, description and size that are
  // already there are kept; others are a DataError that names what differs. UsageError where
  // another process is writing there.
  DatasetWriter(std::filesystem::path directory, Description description, std::uint64_t samples,
                const DatasetWriterOptions& options = {});
  ~DatasetWriter();

  // Where to go on: the samples before it are in complete shards.
  std::uint64_t next_sample() const { return next_; }
  std::uint64_t samples() const;
  std::uint64_t shard_count() const;
  // Samples that fit into the shard being written: append no more than this at once.
  std::uint64_t room() const;

  void append(std::span<const float> stored, std::span<const float> flipped,
              std::span<const std::int32_t> labels, std::span<const StoredSamples> arrays = {},
              const StoredTexts& texts = {});
  // Throws when samples are missing.
  WriteReport finish();

 private:
  std::unique_ptr<ShardSet> set_;
  std::uint64_t next_ = 0, kept_ = 0;
  std::uint64_t index_ = 0;  // of the shard that is written
  bool begun_ = false;
  std::unique_ptr<NewDirectories> made_;  // kept with the first shard
  std::unique_ptr<DirectoryLock> lock_;
  std::unique_ptr<ShardWriter> shard_;
};

}  // namespace edt::data
