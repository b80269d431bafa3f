#include <algorithm>
#include <cstring>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"
#include "core/storage/half.h"
#include "data/seal.h"
#include "data/writer.h"

namespace edt::data {

namespace {

h5::Shape array_shape(const Description& d, std::uint64_t samples) {
  return {samples, static_cast<std::uint64_t>(d.channels) * (d.moments ? 2 : 1),
          static_cast<std::uint64_t>(d.height), static_cast<std::uint64_t>(d.width)};
}

}  // namespace

ShardWriter::ShardWriter(std::filesystem::path path, const Description& description,
                         std::uint64_t samples, const std::optional<ShardPlace>& place,
                         std::uint64_t text_tokens)
    : path_(std::move(path)),
      partial_(path_),
      description_(description),
      samples_(samples),
      block_samples_(block_samples(description.stored_bytes())) {
  validate(description, path_.string());
  validate(description.text, path_.string());
  const std::uint64_t text_bytes = text_tokens * description.text.channels * sizeof(half_bits);
  require_free_space(path_.has_parent_path() ? path_.parent_path() : ".",
                     samples * description.sample_bytes() + text_bytes, "a shard");
  if (place) first_sample_ = static_cast<std::uint64_t>(place->first_sample);
  file_ = std::make_unique<h5::File>(
      h5::File::create(partial_.partial(), kSealBytes, longest_attribute(description)));
  write_description(description, *file_);
  if (place) {
    file_->write_attribute("shard_index", place->index);
    file_->write_attribute("shard_count", place->count);
    file_->write_attribute("first_sample", place->first_sample);
    file_->write_attribute("total_samples", place->total_samples);
  }
  open_arrays(text_tokens);
}

ShardWriter::~ShardWriter() = default;

void ShardWriter::open_arrays(std::uint64_t text_tokens) {
  const Description& d = description_;
  for (const bool flipped : {false, true}) {
    if (flipped && !d.flipped) break;
    arrays_.emplace_back(*file_, flipped ? d.flipped_name() : d.array_name(), d.type,
                         array_shape(d, samples_), block_samples_);
  }
  for (const SampleArray& array : d.arrays) {
    h5::Shape shape{samples_};
    shape.insert(shape.end(), array.shape.begin(), array.shape.end());
    h5::Shape scales = shape;
    scales.pop_back();
    for (const bool flipped : {false, true}) {
      if (flipped && !array.flipped) break;
      beside_.emplace_back(*file_, array.values_name(flipped), array.type, shape,
                           block_samples(array.value_bytes()));
      if (!array.has_scales()) continue;
      beside_.emplace_back(*file_, array.scales_name(flipped), h5::Type::kFloat32, scales,
                           block_samples(array.scale_bytes()));
    }
  }
  if (!d.text.present()) return;
  texts_ = std::make_unique<TextWriter>(*file_, d.text, text_tokens, path_.string());
}

// What is stored must be finite, not only what was given.
void ShardWriter::append_to(ArrayWriter& array, std::span<const float> stored) {
  floats_.assign(stored.begin(), stored.end());
  bytes_.resize(stored.size() * h5::size_of(description_.type));
  if (description_.type == h5::Type::kFloat16) {
    const std::span halves(reinterpret_cast<half_bits*>(bytes_.data()), stored.size());
    float_to_half(stored, halves);
    half_to_float(halves, floats_);
  } else {
    std::memcpy(bytes_.data(), stored.data(), bytes_.size());
  }
  require<DataError>(all_finite(floats_), "shard",
                     "sample {} for {}: NaN, infinity or beyond the range of {}",
                     first_sample_ + written_, path_.string(), h5::name_of(description_.type));
  array.append(bytes_);
}

void ShardWriter::append_beside(std::span<const StoredSamples> arrays, std::size_t samples) {
  EDT_ASSERT(arrays.size() == description_.arrays.size());
  auto writer = beside_.begin();
  const auto append = [&](std::span<const std::byte> bytes, std::uint64_t of_sample) {
    EDT_ASSERT(bytes.size() == samples * of_sample);
    (writer++)->append(bytes);
  };
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const SampleArray& array = description_.arrays[i];
    for (const StoredArray* stored : {&arrays[i].plain, &arrays[i].flipped}) {
      if (stored == &arrays[i].flipped && !array.flipped) break;
      append(stored->values, array.value_bytes());
      if (array.has_scales()) append(stored->scales, array.scale_bytes());
    }
  }
}

void ShardWriter::append(std::span<const float> stored, std::span<const float> flipped,
                         std::span<const std::int32_t> labels,
                         std::span<const StoredSamples> arrays, const StoredTexts& texts) {
  EDT_ASSERT(texts.tokens.size() == (texts_ ? labels.size() : 0));
  if (texts_) texts_->append(texts, first_sample_ + written_);
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
  }
  append_beside(arrays, labels.size());
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
  std::vector<ByteRange> ranges{write_labels()};
  for (ArrayWriter& array : arrays_) ranges.push_back(array.finish(*file_, false));
  for (ArrayWriter& array : beside_) ranges.push_back(array.finish(*file_, true));
  if (texts_) {
    for (const ByteRange& range : texts_->finish(*file_)) ranges.push_back(range);
  }
  file_->write_attribute("complete", 1);
  arrays_.clear();
  beside_.clear();
  texts_.reset();
  file_->close();
  write_seal(partial_.partial(), std::move(ranges));
}

void ShardWriter::take_name() { partial_.commit(); }

}  // namespace edt::data
