#include <algorithm>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/directory_lock.h"
#include "core/storage/durable_file.h"
#include "core/storage/new_directories.h"
#include "data/shard_set.h"
#include "data/writer.h"

namespace edt::data {

DatasetWriter::DatasetWriter(std::filesystem::path directory, Description description,
                             std::uint64_t samples, const DatasetWriterOptions& options)
    : set_(std::make_unique<ShardSet>(std::move(directory), std::move(description), samples,
                                      options)),
      made_(std::make_unique<NewDirectories>(set_->directory())) {
  make_directories(set_->directory());
  lock_ = std::make_unique<DirectoryLock>(set_->directory());
  const std::vector<bool> there = set_->open();
  const auto gap = std::find(there.begin(), there.end(), false);
  kept_ = static_cast<std::uint64_t>(gap - there.begin());
  index_ = kept_;
  next_ = std::min(set_->first_sample(kept_), samples);
  begun_ = std::find(there.begin(), there.end(), true) != there.end();
}

DatasetWriter::~DatasetWriter() = default;

std::uint64_t DatasetWriter::samples() const { return set_->samples(); }

std::uint64_t DatasetWriter::shard_count() const { return set_->count(); }

std::uint64_t DatasetWriter::room() const {
  if (index_ == set_->count()) return 0;
  return set_->first_sample(index_) + set_->size_of(index_) - next_;
}

void DatasetWriter::append(std::span<const float> stored, std::span<const float> flipped,
                           std::span<const std::int32_t> labels,
                           std::span<const StoredSamples> arrays, const StoredTexts& texts) {
  EDT_ASSERT(labels.size() <= room());
  if (labels.empty()) return;
  if (!shard_) shard_ = set_->write(index_);
  shard_->append(stored, flipped, labels, arrays, texts);
  next_ += labels.size();
  if (room() > 0) return;
  shard_->complete();
  if (!begun_) set_->begin();
  begun_ = true;
  shard_->take_name();
  made_->keep();
  shard_.reset();
  ++index_;
}

WriteReport DatasetWriter::finish() {
  require<DataError>(next_ == samples(), "data", "{}: {} samples written, {} announced",
                     set_->directory().string(), next_, samples());
  return {.kept = kept_, .written = shard_count() - kept_};
}

}  // namespace edt::data
