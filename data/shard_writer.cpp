#include <algorithm>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"
#include "core/storage/half.h"
#include "data/seal.h"
#include "data/writer.h"

namespace edt::data {

namespace {

// A block is verified as a whole when one of its samples is first read, so it stays small.
constexpr std::uint64_t kBlockBytes = 256 << 10;

h5::Shape array_shape(const Description& d, std::uint64_t samples) {
  return {samples, static_cast<std::uint64_t>(d.channels) * (d.moments ? 2 : 1),
          static_cast<std::uint64_t>(d.height), static_cast<std::uint64_t>(d.width)};
}

}  // namespace

// Samples wait here until a whole block of checksums is there.
struct ShardWriter::Array {
  std::string name;
  h5::DataSet set;
  std::vector<half_bits> halves;
  std::vector<float> floats;
  std::vector<std::uint64_t> checksums;
};

ShardWriter::ShardWriter(std::filesystem::path path, const Description& description,
                         std::uint64_t samples, const std::optional<ShardPlace>& place)
    : path_(std::move(path)),
      partial_(path_),
      description_(description),
      samples_(samples),
      block_samples_(std::max<std::uint64_t>(1, kBlockBytes / description.stored_bytes())) {
  validate(description, path_.string());
  const std::uint64_t copies = description.flipped ? 2 : 1;
  require_free_space(path_.has_parent_path() ? path_.parent_path() : ".",
                     samples * description.stored_bytes() * copies, "a shard");
  if (place) first_sample_ = static_cast<std::uint64_t>(place->first_sample);
  file_ = std::make_unique<h5::File>(h5::File::create(partial_.partial(), kSealBytes));
  write_description(description, *file_);
  if (place) {
    file_->write_attribute("shard_index", place->index);
    file_->write_attribute("shard_count", place->count);
    file_->write_attribute("first_sample", place->first_sample);
    file_->write_attribute("total_samples", place->total_samples);
  }
  for (bool flipped : {false, true}) {
    if (flipped && !description.flipped) break;
    const std::string name = flipped ? description.flipped_name() : description.array_name();
    Array array{name,
                file_->create_dataset(name, description.type, array_shape(description, samples)),
                {},
                {},
                {}};
    arrays_.push_back(std::move(array));
  }
}

ShardWriter::~ShardWriter() = default;

void ShardWriter::append_to(Array& array, std::span<const float> stored) {
  const std::size_t begin = array.floats.size();
  array.floats.insert(array.floats.end(), stored.begin(), stored.end());
  const auto added = std::span(array.floats).subspan(begin);
  if (description_.type == h5::Type::kFloat16) {
    const std::size_t half_begin = array.halves.size();
    array.halves.resize(half_begin + added.size());
    float_to_half(added, std::span(array.halves).subspan(half_begin));
    // What is stored must be finite, not only what was given.
    half_to_float(std::span(array.halves).subspan(half_begin), added);
  }
  if (all_finite(added)) return;
  const std::uint64_t row = description_.stored_elements();
  for (std::uint64_t i = 0; i < added.size() / row; ++i) {
    require<DataError>(all_finite(added.subspan(i * row, row)), "shard",
                       "sample {} for {}: NaN, infinity or beyond the range of {}",
                       first_sample_ + written_ + i, path_.string(),
                       h5::name_of(description_.type));
  }
}

void ShardWriter::flush_block() {
  const std::uint64_t row = description_.stored_elements();
  for (Array& array : arrays_) {
    const std::uint64_t count = array.floats.size() / row;
    const std::uint64_t first = written_ - count;
    if (count == 0) continue;
    if (description_.type == h5::Type::kFloat16) {
      array.checksums.push_back(checksum_of(std::span<const half_bits>(array.halves)));
      array.set.write_rows(first, count, h5::Type::kFloat16, array.halves.data());
    } else {
      array.checksums.push_back(checksum_of(std::span<const float>(array.floats)));
      array.set.write_rows(first, count, h5::Type::kFloat32, array.floats.data());
    }
    array.halves.clear();
    array.floats.clear();
  }
}

void ShardWriter::append(std::span<const float> stored, std::span<const float> flipped,
                         std::span<const std::int32_t> labels) {
  const std::uint64_t row = description_.stored_elements();
  EDT_ASSERT(stored.size() == labels.size() * row && written_ + labels.size() <= samples_);
  EDT_ASSERT(flipped.size() == (description_.flipped ? stored.size() : 0));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    require<DataError>(labels[i] >= 0 && labels[i] < description_.classes, "shard",
                       "sample {} for {}: label {} is outside 0 to {}", first_sample_ + written_,
                       path_.string(), labels[i], description_.classes - 1);
    append_to(arrays_[0], stored.subspan(i * row, row));
    if (description_.flipped) append_to(arrays_[1], flipped.subspan(i * row, row));
    labels_.push_back(labels[i]);
    ++written_;
    if (written_ % block_samples_ == 0) flush_block();
  }
}

ByteRange ShardWriter::write_labels() {
  std::vector<std::uint64_t> sums;
  for (std::uint64_t first = 0; first < samples_; first += block_samples_) {
    const std::uint64_t count = std::min(block_samples_, samples_ - first);
    sums.push_back(checksum_of(std::span<const std::int32_t>(labels_).subspan(first, count)));
  }
  file_->write_attribute("checksum_block", static_cast<std::int64_t>(block_samples_));
  file_->create_dataset("checksums/labels", h5::Type::kUInt64, {sums.size()})
      .write(h5::Type::kUInt64, sums.data());
  h5::DataSet labels = file_->create_dataset("labels", h5::Type::kInt32, {samples_});
  labels.write(h5::Type::kInt32, labels_.data());
  return {labels.raw_offset().value(), samples_ * sizeof(std::int32_t)};
}

void ShardWriter::finish() {
  complete();
  take_name();
}

void ShardWriter::complete() {
  require<DataError>(written_ == samples_, "shard", "{}: {} samples written, {} announced",
                     path_.string(), written_, samples_);
  flush_block();
  std::vector<ByteRange> ranges{write_labels()};
  for (Array& array : arrays_) {
    file_->create_dataset("checksums/" + array.name, h5::Type::kUInt64, {array.checksums.size()})
        .write(h5::Type::kUInt64, array.checksums.data());
    ranges.push_back({array.set.raw_offset().value(), samples_ * description_.stored_bytes()});
  }
  file_->write_attribute("complete", 1);
  arrays_.clear();
  file_->close();
  write_seal(partial_.partial(), std::move(ranges));
}

void ShardWriter::take_name() { partial_.commit(); }

}  // namespace edt::data
