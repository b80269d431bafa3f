#include "data/pictures/index.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/json/json_bytes.h"
#include "core/json/json_text.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kListed = "listed";    // entries of all pictures
constexpr const char* kEntries = "entries";  // of those that are not broken
constexpr const char* kNames = "names";      // their names, one after the other
constexpr const char* kSources = "sources.json";
constexpr const char* kFinished = "finished.json";

// An entry in the table.
struct Row {
  std::uint64_t offset, bytes, name;
  std::uint32_t name_bytes, source;
  std::int32_t label;
  std::uint32_t unused;
};
static_assert(sizeof(Row) == 40);

json to_json(const PictureSources& sources) {
  json list = json::array();
  for (const auto& source : sources.sources) {
    list.push_back({{"path", json_of_bytes(source.path.native())},
                    {"archive", source.is_archive},
                    {"packed", source.is_packed}});
  }
  return {{"sources", list},
          {"class_names", sources.class_names},
          {"class_label", sources.class_label},
          {"largest_label", sources.largest_label},
          {"other_files", sources.other_files},
          {"summary", sources.summary}};
}

PictureSources from_json(const json& root) {
  PictureSources sources;
  for (const json& source : root.at("sources")) {
    sources.sources.push_back(
        {bytes_of_json(source.at("path")), source.at("archive"), source.at("packed")});
  }
  sources.class_names = root.at("class_names").get<std::vector<std::string>>();
  sources.class_label = root.at("class_label").get<std::vector<std::int32_t>>();
  sources.largest_label = root.at("largest_label");
  sources.other_files = root.at("other_files");
  sources.summary = root.at("summary");
  return sources;
}

}  // namespace

// A file that is written in few large pieces.
class PictureIndexWriter::Table {
 public:
  explicit Table(const fs::path& path) : file_(path) {}
  void write(std::span<const std::byte> bytes) {
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    if (pending_.size() >= kPiece) flush();
  }
  std::uint64_t bytes() const { return file_.written() + pending_.size(); }
  void commit() {
    flush();
    file_.commit();
  }

 private:
  static constexpr std::size_t kPiece = 1 << 18;
  void flush() {
    file_.write(std::span<const std::byte>(pending_));
    pending_.clear();
  }
  DurableFile file_;
  std::vector<std::byte> pending_;
};

PictureIndexWriter::PictureIndexWriter(fs::path directory) : directory_(std::move(directory)) {
  make_directories(directory_);
  fs::remove(directory_ / kFinished);
  sync_directory(directory_);
  entries_ = std::make_unique<Table>(directory_ / kListed);
  names_ = std::make_unique<Table>(directory_ / kNames);
}

PictureIndexWriter::~PictureIndexWriter() = default;

void PictureIndexWriter::add(const PictureEntry& entry) {
  const Row row{entry.offset,
                entry.bytes,
                names_->bytes(),
                static_cast<std::uint32_t>(entry.name.size()),
                entry.source,
                entry.label,
                0};
  entries_->write(std::as_bytes(std::span(&row, 1)));
  names_->write(std::as_bytes(std::span(entry.name)));
  ++size_;
}

void PictureIndexWriter::end_list(const PictureSources& sources) {
  entries_->commit();
  names_->commit();
  const std::string text = dump_json(to_json(sources), 1) + "\n";
  write_text_atomically(directory_ / kSources, text);
}

void PictureIndexWriter::finish(const std::vector<BrokenPicture>& broken, const std::string& id) {
  constexpr std::uint64_t kAtOnce = 4096;
  const InputFile listed(directory_ / kListed);
  Table kept(directory_ / kEntries);
  auto next = broken.begin();
  std::vector<Row> rows;
  for (std::uint64_t first = 0; first < size_; first += kAtOnce) {
    rows.resize(std::min(kAtOnce, size_ - first));
    listed.read_values(first * sizeof(Row), std::span(rows));
    for (std::uint64_t i = 0; i < rows.size(); ++i) {
      if (next != broken.end() && next->index == first + i) {
        ++next;
      } else {
        kept.write(std::as_bytes(std::span(&rows[i], 1)));
      }
    }
  }
  EDT_ASSERT(next == broken.end());
  kept.commit();
  const json finished{{"id", id}, {"left_out", broken.size()}};
  write_text_atomically(directory_ / kFinished, dump_json(finished) + "\n");
}

PictureIndex::PictureIndex(const fs::path& directory, const char* table)
    : entries_(directory / table), names_(directory / kNames) {
  const fs::path file = directory / kSources;
  try {
    sources_ = from_json(parse_json(read_text(file, 1u << 30), file.string()));
  } catch (const json::exception& error) {
    fail<DataError>("pictures", "{}: is damaged: {}", file.string(), error.what());
  }
  size_ = entries_.size() / sizeof(Row);
}

PictureIndex PictureIndex::listed(const fs::path& directory) { return {directory, kListed}; }

std::optional<PictureIndex> PictureIndex::finished(const fs::path& directory,
                                                   const std::string& id) {
  std::error_code code;
  if (!fs::exists(directory / kFinished, code)) return std::nullopt;
  const json found = try_parse_json(read_text(directory / kFinished));
  if (!found.is_object() || found.value("id", "") != id) return std::nullopt;
  PictureIndex index(directory, kEntries);
  index.left_out_ = found.value("left_out", std::uint64_t{0});
  return index;
}

PictureEntry PictureIndex::at(std::uint64_t index) const {
  EDT_ASSERT(index < size_);
  Row row{};
  entries_.read_values(index * sizeof(Row), std::span(&row, 1));
  require<DataError>(row.name <= names_.size() && row.name_bytes <= names_.size() - row.name,
                     "pictures", "{}: is damaged: entry {} has its name at byte {}",
                     entries_.path().string(), index, row.name);
  PictureEntry entry{std::string(row.name_bytes, '\0'), row.source, row.label, row.offset,
                     row.bytes};
  names_.read_values(row.name, std::span(entry.name));
  if (!sources_.class_label.empty()) {
    entry.label = sources_.class_label.at(static_cast<std::size_t>(row.label));
  }
  return entry;
}

std::string PictureIndex::name_of(const PictureEntry& entry) const {
  const PictureSources::Source& source = sources_.sources.at(entry.source);
  if (source.is_archive) return source.path.string() + ":" + entry.name;
  return (source.path / entry.name).string();
}

}  // namespace edt::data
