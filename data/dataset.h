// A data set: a directory of shards that fit together, read by sample index.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/array_request.h"
#include "data/description.h"
#include "data/sample_order.h"
#include "data/shard.h"

namespace edt::data {

struct DatasetOptions {
  bool verify_blocks = true;  // check the checksum of a block when it is first touched
  bool normalize = false;     // (x - channel_mean) / channel_std
  // Is added to the variances by which that divides, as REPA-E does with 1e-4.
  double normalize_eps = 0;
  // Read through a mapping of the files, without a system call per sample.
  bool map_files = true;
  // Of decoded samples that are kept where shards are compressed.
  std::uint64_t cache_bytes = kDefaultCacheBytes;
  // What is read beside the latents.
  std::vector<ArrayRequest> arrays = {};
};

// Buffers of one reader, reused between reads.
struct ReadScratch {
  std::vector<std::byte> bytes;
  std::vector<float> values;
  std::vector<std::uint64_t> order;
  StoredArray array;
};

// Shards of a data set in order: `path` is a directory, or one shard. Throws DataError where there
// are none.
std::vector<std::filesystem::path> list_shards(const std::filesystem::path& path);

class Dataset {
 public:
  // Opens and validates every shard and how they fit together.
  explicit Dataset(const std::filesystem::path& path, const DatasetOptions& options = {});

  const std::filesystem::path& path() const { return path_; }
  const Description& description() const { return description_; }
  const DatasetOptions& options() const { return options_; }
  std::uint64_t size() const { return begin_.back(); }
  std::span<const std::unique_ptr<Shard>> shards() const { return shards_; }
  std::vector<std::uint64_t> shard_sizes() const;
  std::int32_t label(std::uint64_t index) const;

  // Where there are texts: those of the empty prompt [null tokens, channels], of a sample [tokens,
  // channels], and the words of a sample, "" where they are not kept. A mirrored copy has the text
  // of its sample.
  std::vector<float> null_text() const;
  std::uint64_t text_tokens(std::uint64_t index) const;
  std::vector<float> text_of(std::uint64_t index) const;
  std::string caption(std::uint64_t index) const;

  // Of each shard: Shard::look_again().
  void look_again() const;

  // For people, where samples in random order cost several times their bytes: the factor, and what
  // to do. Empty: they do not.
  std::string slow_layout() const;

  // Throws DataError naming both values, and what would fit, unless a model of this shape can be
  // trained on it. `classes` 0: it reads no labels. `size_option` gives the side of the model's
  // pictures.
  void require_fits(int channels, int height, int width, int classes,
                    std::string_view size_option = "model.image-size") const;

  // UsageError where mirrored copies are drawn, and an array that is read has none.
  SampleOrder make_order(const OrderOptions& options) const;

  // Of options().arrays, in their order.
  std::span<const RequestedArray> arrays() const { return arrays_; }
  // Stored bytes that one sample costs to read: its latents and what is read beside them, of texts
  // the mean.
  std::uint64_t read_bytes() const;

  // Latents [refs.size(), C, H, W] as the model sees them: scaled, drawn afresh from moments (keyed
  // by seed, epoch and index), normalized on request; and labels [refs.size()], unless empty. Reads
  // in file order. SystemError where a file was cut short meanwhile, or its disk failed. Const and
  // safe to call from several threads with a scratch each.
  void read(std::span<const SampleRef> refs, std::uint64_t seed, ReadScratch& scratch,
            std::span<float> latents, std::span<std::int32_t> labels = {}) const;
  // Of the same samples the array arrays()[array], [refs.size(), elements]: what was asked for.
  void read_array(std::size_t array, std::span<const SampleRef> refs, ReadScratch& scratch,
                  std::span<float> out) const;

 private:
  std::size_t shard_of(std::uint64_t index) const;
  void sort_into_file_order(std::span<const SampleRef> refs,
                            std::vector<std::uint64_t>& order) const;
  // Calls `read` with each place in `refs`, its shard and its row there, in file order.
  template <class Read>
  void for_each_sample(std::span<const SampleRef> refs, std::vector<std::uint64_t>& order,
                       Read read) const;
  void read_text(const Shard& file, std::uint64_t row, ReadScratch& scratch,
                 std::span<float> out) const;
  void join_texts();
  const TextReader& texts_at(std::uint64_t index, std::uint64_t& row) const;
  std::uint64_t mean_text_bytes() const;
  void check_order() const;
  void finish_sample(const SampleRef& ref, std::uint64_t seed, std::span<const float> stored,
                     ReadScratch& scratch, std::span<float> out) const;

  std::filesystem::path path_;
  DatasetOptions options_;
  Description description_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::uint64_t> begin_;  // first sample of each shard, and the end
  std::vector<RequestedArray> arrays_;
  std::vector<double> divisors_;  // of each channel, where values are normalized
};

}  // namespace edt::data
