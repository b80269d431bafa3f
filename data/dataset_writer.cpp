#include <algorithm>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/durable_file.h"
#include "data/writer.h"

namespace edt::data {

namespace fs = std::filesystem;

namespace {

bool is_shard_name(const std::string& name) {
  return name.starts_with("shard-") && name.ends_with(".h5");
}

std::vector<fs::path> finished_shards(const fs::path& directory) {
  std::vector<fs::path> shards;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(directory, code)) {
    if (is_shard_name(entry.path().filename().string())) shards.push_back(entry.path());
  }
  return shards;
}

Provenance whole_provenance(const DatasetWriterOptions& options, std::uint64_t samples) {
  Provenance whole = options.provenance;
  whole.add("samples", fmt::to_string(samples));
  whole.add("samples-per-shard", fmt::to_string(options.samples_per_shard));
  return whole;
}

// Shards are kept only where it is known that this call would write the same.
void require_provenance(const fs::path& directory, std::span<const fs::path> shards,
                        const Provenance& now) {
  constexpr std::string_view kWayOut = "choose another directory, or --replace makes the set anew";
  const std::string number =
      fmt::format("{} shard{}", shards.size(), shards.size() == 1 ? "" : "s");
  const Provenance before = Provenance::read(directory);
  require<DataError>(
      !before.empty(), "data", "{}: holds {} and no {} that says what they were made from: {}",
      directory.string(), number, Provenance::path(directory).filename().string(), kWayOut);
  const std::string difference = before.difference(now);
  require<DataError>(difference.empty(), "data", "{}: holds {}, and since then {}: {}",
                     directory.string(), number, difference, kWayOut);
  for (const fs::path& path : shards) {
    const std::string id = Shard(path).description().provenance;
    require<DataError>(id == before.id(), "data",
                       "{}: was made from something else than {} says: {}", path.string(),
                       Provenance::path(directory).string(), kWayOut);
  }
}

}  // namespace

DatasetWriter::DatasetWriter(fs::path directory, Description description, std::uint64_t samples,
                             const DatasetWriterOptions& options)
    : directory_(std::move(directory)),
      description_(std::move(description)),
      samples_(samples),
      samples_per_shard_(options.samples_per_shard),
      provenance_(whole_provenance(options, samples)),
      replace_(options.replace) {
  require<UsageError>(samples >= 1 && samples_per_shard_ >= 1, "data",
                      "{} samples in shards of {} samples", samples, samples_per_shard_);
  require<UsageError>(shard_count() <= 99999, "data",
                      "{} shards of {} samples: at most 99999, make them larger", shard_count(),
                      samples_per_shard_);
  validate(description_, directory_.string());
  description_.provenance = provenance_.id();
  make_directories(directory_);
  lock_ = std::make_unique<DirectoryLock>(directory_);
  if (!replace_) resume();
  require_own_shards();
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

std::optional<Description> DatasetWriter::kept_description(const fs::path& directory,
                                                           std::uint64_t samples,
                                                           const DatasetWriterOptions& options) {
  const std::vector<fs::path> shards = finished_shards(directory);
  if (options.replace || shards.empty()) return std::nullopt;
  require_provenance(directory, shards, whole_provenance(options, samples));
  return Shard(*std::min_element(shards.begin(), shards.end())).description();
}

// Keeps the whole shards at the beginning.
void DatasetWriter::resume() {
  const std::vector<fs::path> shards = finished_shards(directory_);
  if (shards.empty()) return;
  require_provenance(directory_, shards, provenance_);
  for (; kept_ < shard_count() && fs::exists(shard_path(kept_)); ++kept_) {
    const fs::path path = shard_path(kept_);
    const Shard shard(path);
    require_same(description_, "the data set being written", shard.description(), path.string());
    const std::uint64_t expected =
        std::min(samples_per_shard_, samples_ - kept_ * samples_per_shard_);
    require<DataError>(shard.size() == expected, "data", "{}: {} samples, {} expected",
                       path.string(), shard.size(), expected);
  }
  next_ = std::min(kept_ * samples_per_shard_, samples_);
  begun_ = true;
}

// Whatever else could be read as a shard is somebody's data.
void DatasetWriter::require_own_shards() const {
  for (const auto& entry : fs::directory_iterator(directory_)) {
    const std::string name = entry.path().filename().string();
    const fs::path extension = entry.path().extension();
    if ((extension != ".h5" && extension != ".hdf5") || name[0] == '.') continue;
    const bool ours = is_shard_name(name) &&
                      (replace_ || name.ends_with(fmt::format("-of-{:05}.h5", shard_count())));
    require<DataError>(ours, "data",
                       "{} belongs to another data set: choose another directory or remove it",
                       entry.path().string());
  }
}

// Just before the first shard gets its name: until then an older set is whole.
void DatasetWriter::begin_set() {
  if (begun_) return;
  for (const fs::path& shard : finished_shards(directory_)) fs::remove(shard);
  sync_directory(directory_);
  provenance_.write(directory_);
  begun_ = true;
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
  shard_->complete();
  begin_set();
  shard_->take_name();
  shard_.reset();
}

WriteReport DatasetWriter::finish() {
  require<DataError>(next_ == samples_, "data", "{}: {} samples written, {} announced",
                     directory_.string(), next_, samples_);
  return {.kept = kept_, .written = shard_count() - kept_};
}

}  // namespace edt::data
