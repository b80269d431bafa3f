// The texts of one file: where each begins is checked when it is opened, features when they are
// read.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/storage/hdf5.h"
#include "core/storage/input_file.h"
#include "data/block_cache.h"
#include "data/shard_array.h"
#include "data/text.h"

namespace edt::data {

class TextReader {
 public:
  // Of `samples` samples; nothing: of as many as there are. `bytes` and `cache` outlive it, as for
  // a ShardArray. DataError where texts do not lie one after the other, each of at least one token
  // and no more than `description` says, or captions are others than texts.
  TextReader(const h5::File& file, const InputFile& bytes, const TextDescription& description,
             std::optional<std::uint64_t> samples, BlockCache& cache);

  std::uint64_t size() const { return begin_.size() - 1; }
  std::uint64_t tokens(std::uint64_t sample) const {
    return static_cast<std::uint64_t>(begin_[sample + 1] - begin_[sample]);
  }
  std::uint64_t longest() const { return longest_; }
  // A row for each token.
  const ShardArray& features() const { return features_; }

  // Features of a text [tokens(sample), channels], finite. With `verify`, blocks that were not seen
  // before are checked first.
  void read(std::uint64_t sample, bool verify, std::vector<std::byte>& scratch,
            std::span<float> out) const;
  // Texts as they are stored, verified: `out` has them behind what it held.
  void append_stored(std::uint64_t first, std::uint64_t count, StoredTexts& out) const;
  // The words of texts, where they are kept. Opens the file: for pages and logs, not for training.
  std::vector<std::string> captions(std::uint64_t first, std::uint64_t count) const;

  // All features are finite and, where there are checksums, as they were written; captions too.
  void verify() const;

 private:
  void read_begin(const h5::File& file, std::optional<std::uint64_t> samples);
  void check_captions(const h5::File& file) const;
  void verify_captions() const;

  const InputFile* bytes_;
  bool captions_;
  std::uint64_t most_tokens_, longest_ = 0;
  std::vector<std::int64_t> begin_;  // first token of each text, and the end
  ShardArray features_;
};

}  // namespace edt::data
