#include "data/shard_set.h"

#include <algorithm>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/storage/directory_kind.h"
#include "core/storage/durable_file.h"

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

ShardSet::ShardSet(fs::path directory, Description description, std::uint64_t samples,
                   const DatasetWriterOptions& options)
    : directory_(std::move(directory)),
      description_(std::move(description)),
      samples_(samples),
      samples_per_shard_(options.samples_per_shard),
      provenance_(whole_provenance(options, samples)),
      replace_(options.replace),
      text_tokens_(options.text_tokens) {
  require<UsageError>(samples >= 1 && samples_per_shard_ >= 1, "data",
                      "{} samples in shards of {} samples", samples, samples_per_shard_);
  require<UsageError>(count() <= 99999, "data",
                      "{} shards of {} samples: at most 99999, make them larger", count(),
                      samples_per_shard_);
  validate(description_, directory_.string());
  validate(description_.text, directory_.string());
  EDT_ASSERT(description_.text.present() == static_cast<bool>(text_tokens_));
  description_.provenance = provenance_.id();
}

std::uint64_t ShardSet::count() const {
  return (samples_ + samples_per_shard_ - 1) / samples_per_shard_;
}

std::uint64_t ShardSet::size_of(std::uint64_t shard) const {
  return std::min(samples_per_shard_, samples_ - first_sample(shard));
}

fs::path ShardSet::path_of(std::uint64_t shard) const {
  return directory_ / fmt::format("shard-{:05}-of-{:05}.h5", shard, count());
}

std::unique_ptr<ShardWriter> ShardSet::write(std::uint64_t shard) const {
  const ShardPlace place{static_cast<std::int64_t>(shard), static_cast<std::int64_t>(count()),
                         static_cast<std::int64_t>(first_sample(shard)),
                         static_cast<std::int64_t>(samples_)};
  return std::make_unique<ShardWriter>(path_of(shard), description_, size_of(shard), place,
                                       text_tokens_of(shard));
}

std::uint64_t ShardSet::text_tokens_of(std::uint64_t shard) const {
  std::uint64_t tokens = 0;
  if (!text_tokens_) return tokens;
  for (std::uint64_t i = 0; i < size_of(shard); ++i)
    tokens += text_tokens_(first_sample(shard) + i);
  return tokens;
}

void require_place_for_shards(const fs::path& directory) {
  const DirectoryKind kind = kind_of_directory(directory);
  require<DataError>(kind == DirectoryKind::kOther || kind == DirectoryKind::kDataSet ||
                         !finished_shards(directory).empty(),
                     "data", "{} holds {}: a data set needs a directory of its own",
                     directory.string(), described(kind));
}

std::vector<bool> ShardSet::open() const {
  require_place_for_shards(directory_);
  make_directories(directory_);
  std::vector<bool> there(count(), false);
  const std::vector<fs::path> shards = finished_shards(directory_);
  if (!replace_ && !shards.empty()) {
    require_provenance(directory_, shards, provenance_);
    for (std::uint64_t shard = 0; shard < count(); ++shard) {
      there[shard] = fs::exists(path_of(shard));
      if (there[shard]) require_whole(shard);
    }
  }
  require_own_files();
  return there;
}

void ShardSet::require_whole(std::uint64_t shard) const {
  const fs::path path = path_of(shard);
  const Shard found(path);
  require_same(description_, "the data set being written", found.description(), path.string());
  require<DataError>(found.size() == size_of(shard), "data", "{}: {} samples, {} expected",
                     path.string(), found.size(), size_of(shard));
}

// Whatever else could be read as a shard is somebody's data.
void ShardSet::require_own_files() const {
  for (const auto& entry : fs::directory_iterator(directory_)) {
    const std::string name = entry.path().filename().string();
    const std::string extension = lower_case_extension(entry.path());
    if ((extension != ".h5" && extension != ".hdf5") || name[0] == '.') continue;
    const bool ours =
        is_shard_name(name) && (replace_ || name.ends_with(fmt::format("-of-{:05}.h5", count())));
    require<DataError>(ours, "data",
                       "{} belongs to another data set: choose another directory or remove it",
                       entry.path().string());
  }
}

void ShardSet::begin() const {
  for (const fs::path& shard : finished_shards(directory_)) fs::remove(shard);
  sync_directory(directory_);
  provenance_.write(directory_);
}

std::optional<Description> ShardSet::kept_description(const fs::path& directory,
                                                      std::uint64_t samples,
                                                      const DatasetWriterOptions& options) {
  const std::vector<fs::path> shards = finished_shards(directory);
  if (options.replace || shards.empty()) return std::nullopt;
  require_provenance(directory, shards, whole_provenance(options, samples));
  return Shard(*std::min_element(shards.begin(), shards.end())).description();
}

}  // namespace edt::data
