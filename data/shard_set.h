// The shards of a data set while it is written: which are there, and what the others will be.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "data/writer.h"

namespace edt::data {

class ShardSet {
 public:
  // Touches no file. UsageError for numbers that make no set.
  ShardSet(std::filesystem::path directory, Description description, std::uint64_t samples,
           const DatasetWriterOptions& options);

  const std::filesystem::path& directory() const { return directory_; }
  std::uint64_t samples() const { return samples_; }
  std::uint64_t count() const;
  std::uint64_t first_sample(std::uint64_t shard) const { return shard * samples_per_shard_; }
  std::uint64_t size_of(std::uint64_t shard) const;
  std::filesystem::path path_of(std::uint64_t shard) const;
  // A writer of that shard: without take_name() nothing is left behind.
  std::unique_ptr<ShardWriter> write(std::uint64_t shard) const;

  // Makes the directory and looks for whole shards of this set: true for each that is there. What
  // is there and belongs to another set is a DataError that names what differs; with
  // options.replace it is not looked at.
  std::vector<bool> open() const;
  // Just before the first shard gets its name, where open() has found none: until then an older
  // set is whole.
  void begin() const;

  // The description of the shards that open() would keep; none: there are none.
  static std::optional<Description> kept_description(const std::filesystem::path& directory,
                                                     std::uint64_t samples,
                                                     const DatasetWriterOptions& options);

 private:
  std::uint64_t text_tokens_of(std::uint64_t shard) const;
  void require_whole(std::uint64_t shard) const;
  void require_own_files() const;

  std::filesystem::path directory_;
  Description description_;
  std::uint64_t samples_, samples_per_shard_;
  Provenance provenance_;
  bool replace_;
  std::function<std::uint64_t(std::uint64_t)> text_tokens_;
};

}  // namespace edt::data
