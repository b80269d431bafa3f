#include <algorithm>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/durable_file.h"
#include "data/writer.h"

namespace edt::data {

namespace fs = std::filesystem;

DatasetWriter::DatasetWriter(fs::path directory, Description description, std::uint64_t samples,
                             const DatasetWriterOptions& options)
    : directory_(std::move(directory)),
      description_(std::move(description)),
      samples_(samples),
      samples_per_shard_(options.samples_per_shard) {
  require<UsageError>(samples >= 1 && samples_per_shard_ >= 1, "data",
                      "{} samples in shards of {} samples", samples, samples_per_shard_);
  require<UsageError>(shard_count() <= 99999, "data",
                      "{} shards of {} samples: at most 99999, make them larger", shard_count(),
                      samples_per_shard_);
  validate(description_, directory_.string());
  make_directories(directory_);
  resume();
}

DatasetWriter::~DatasetWriter() = default;

std::uint64_t DatasetWriter::shard_count() const {
  return (samples_ + samples_per_shard_ - 1) / samples_per_shard_;
}

fs::path DatasetWriter::shard_path(std::uint64_t shard) const {
  return directory_ / fmt::format("shard-{:05}-of-{:05}.h5", shard, shard_count());
}

ShardPlace DatasetWriter::place(std::uint64_t shard) const {
  return {static_cast<std::int64_t>(shard), static_cast<std::int64_t>(shard_count()),
          static_cast<std::int64_t>(shard * samples_per_shard_),
          static_cast<std::int64_t>(samples_)};
}

// Keeps the whole shards at the beginning; whatever else has a shard's name is somebody's data.
void DatasetWriter::resume() {
  std::uint64_t whole = 0;
  for (; whole < shard_count() && fs::exists(shard_path(whole)); ++whole) {
    const fs::path path = shard_path(whole);
    const Shard shard(path);
    require_same(description_, "the data set being written", shard.description(), path.string());
    require<DataError>(shard.description().source == description_.source, "data",
                       "{} comes from '{}', not from '{}': choose another directory or remove it",
                       path.string(), shard.description().source, description_.source);
    const std::uint64_t expected =
        std::min(samples_per_shard_, samples_ - whole * samples_per_shard_);
    require<DataError>(shard.size() == expected, "data", "{}: {} samples, {} expected",
                       path.string(), shard.size(), expected);
  }
  for (const auto& entry : fs::directory_iterator(directory_)) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".h5" || name[0] == '.') continue;
    const bool ours =
        name.starts_with("shard-") && name.ends_with(fmt::format("-of-{:05}.h5", shard_count()));
    require<DataError>(ours, "data",
                       "{} belongs to another data set: choose another directory or remove it",
                       entry.path().string());
  }
  next_ = std::min(whole * samples_per_shard_, samples_);
}

std::uint64_t DatasetWriter::room() const {
  const std::uint64_t end =
      std::min((next_ / samples_per_shard_ + 1) * samples_per_shard_, samples_);
  return end - next_;
}

void DatasetWriter::append(std::span<const float> stored, std::span<const float> flipped,
                           std::span<const std::int32_t> labels) {
  EDT_ASSERT(labels.size() <= room());
  if (labels.empty()) return;
  const std::uint64_t index = next_ / samples_per_shard_;
  if (!shard_) {
    shard_ = std::make_unique<ShardWriter>(
        shard_path(index), description_,
        std::min(samples_per_shard_, samples_ - index * samples_per_shard_), place(index));
  }
  shard_->append(stored, flipped, labels);
  next_ += labels.size();
  if (next_ % samples_per_shard_ != 0 && next_ != samples_) return;
  shard_->finish();
  shard_.reset();
}

void DatasetWriter::finish() {
  require<DataError>(next_ == samples_, "data", "{}: {} samples written, {} announced",
                     directory_.string(), next_, samples_);
}

}  // namespace edt::data
