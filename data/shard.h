// One shard, opened for reading: validated in full except for the samples themselves, whose blocks
// are verified when they are first touched.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/storage/input_file.h"
#include "data/block_cache.h"
#include "data/description.h"
#include "data/shard_array.h"
#include "data/text_reader.h"

namespace edt::data {

// Place of a shard in its data set, where it is recorded.
struct ShardPlace {
  std::int64_t index = 0;
  std::int64_t count = 0;
  std::int64_t first_sample = 0;
  std::int64_t total_samples = 0;
};

class Shard {
 public:
  // Throws DataError for everything but the content of the samples. With `map` samples are read
  // from a mapping of the file. `cache` keeps what HDF5 has decoded, if need be for many shards.
  explicit Shard(const std::filesystem::path& path, bool map = true,
                 std::shared_ptr<BlockCache> cache = nullptr);
  Shard(const Shard&) = delete;  // its arrays refer to its file
  Shard& operator=(const Shard&) = delete;

  const std::filesystem::path& path() const { return file_.path(); }
  const Description& description() const { return description_; }
  std::uint64_t size() const { return labels_.size(); }
  std::span<const std::int32_t> labels() const { return labels_; }
  const std::optional<ShardPlace>& place() const { return place_; }
  // nullptr: there are none.
  const TextReader* texts() const { return texts_.get(); }
  // Takes the null text of an equal one: shards of a set need it once.
  void share_null_text(const TextDescription& other) { description_.text.null = other.null; }
  bool has_checksums() const { return block_samples_ > 0; }
  bool sealed() const { return sealed_; }

  // Stored values of samples first ... first + count - 1 as float32, as they are in the file.
  // `scratch` is reused between calls. With `verify`, blocks not seen before are checked first.
  // Memory at `next` is brought nearer meanwhile.
  void read(std::uint64_t first, std::uint64_t count, bool flipped, bool verify,
            std::vector<std::byte>& scratch, std::span<float> out,
            std::span<const std::byte> next = {}) const;
  // The same of description().arrays[array].
  void read_array(std::size_t array, std::uint64_t first, std::uint64_t count, bool flipped,
                  bool verify, StoredArray& scratch, std::span<float> out) const;
  // As they are stored, verified: `out` has them behind what it held.
  void append_array(std::size_t array, std::uint64_t first, std::uint64_t count, bool flipped,
                    StoredArray& out) const;

  // SystemError when a file that holds the samples was cut short since it was opened, or its disk
  // failed: what was read before counts only then. read() notices most of it, at no cost.
  void require_kept() const;

  // The bytes of a sample as they are stored, where they lie in mapped memory; else nothing.
  std::span<const std::byte> mapped(std::uint64_t index, bool flipped) const;

  // Other files that hold the samples: sources of virtual data sets, files behind links.
  std::vector<std::filesystem::path> other_files() const;

  // Samples that HDF5 decodes for each one that is read; 1 where nothing is decoded.
  double decoded_samples() const;
  // Of all samples that are decoded.
  std::uint64_t decoded_bytes() const;

  // Re-reads everything: checksums and finite values. Throws at the first defect.
  void verify() const;
  // The same where the file was written to since it was opened, or since the last look; a warning
  // where there are no checksums that would tell. For one thread.
  void look_again() const;

 private:
  // An array beside the latents, and what belongs to it.
  struct Beside {
    std::unique_ptr<ShardArray> values, scales;  // no scales: they are none of int8
  };

  std::unique_ptr<ShardArray> open_array(const h5::File& file, const std::string& name,
                                         h5::Type type, const h5::Shape& shape,
                                         std::uint64_t block) const;
  Beside open_beside(const h5::File& file, const SampleArray& array, bool mirrored) const;
  void open_arrays(const h5::File& file);
  void require_ends_written() const;
  void check_first_moments() const;
  void read_place(const h5::File& file);
  void read_labels(const h5::File& file);
  void refuse_negative_deviation(std::uint64_t first, std::span<const float> values) const;
  void verify_values(bool flipped) const;
  void verify_beside(std::size_t array, bool flipped) const;
  const ShardArray& array(bool flipped) const { return flipped ? *flipped_ : *samples_; }
  const Beside& beside(std::size_t array, bool flipped) const {
    return flipped ? flipped_arrays_[array] : arrays_[array];
  }

  InputFile file_;
  mutable std::int64_t modified_ = 0;  // of the file, when it was last looked at
  bool sealed_ = false;
  Description description_;
  std::optional<ShardPlace> place_;
  std::vector<std::int32_t> labels_;
  std::uint64_t block_samples_ = 0;
  std::shared_ptr<BlockCache> cache_;
  std::unique_ptr<ShardArray> samples_, flipped_;
  std::vector<Beside> arrays_, flipped_arrays_;  // of description_.arrays; without values: none
  std::unique_ptr<TextReader> texts_;
  std::vector<const ShardArray*> all_;  // those above, and the features of texts
  std::unique_ptr<h5::File> hdf5_;      // kept open only for arrays that are not raw
};

}  // namespace edt::data
