#include "data/import/dataset_json.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/storage/durable_file.h"
#include "core/storage/file_kind.h"
#include "core/storage/missing_path.h"
#include "core/storage/npy.h"
#include "core/unicode/unicode.h"
#include "data/natural_order.h"
#include "data/walk.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLongest = std::uint64_t{4} << 30;  // a hundred million entries

using Labels = std::map<std::string, std::int64_t>;

// The names in natural order, and the label of each where there are any.
void match(SampleFiles& files, std::vector<std::string>& names, const Labels& labels,
           const std::string& folder) {
  std::sort(names.begin(), names.end(), natural_less);
  if (files.unlabelled && !names.empty()) return;
  require<DataError>(!names.empty(), "import", "{}: holds no .npy or .npz files, {} has {} labels",
                     folder, files.file_labels_from, labels.size());
  for (const std::string& name : names) {
    const auto found = labels.find(name);
    if (found == labels.end()) {
      const bool has_other = labels.contains(composed(name)) || labels.contains(decomposed(name));
      fail<DataError>("import", "{}: has no label for {} ({} files, {} labels, the first for {}){}",
                      files.file_labels_from, name, names.size(), labels.size(),
                      labels.empty() ? "none" : labels.begin()->first, has_other ? kOtherForm : "");
    }
    files.file_labels.push_back(found->second);
  }
  if (labels.size() == names.size()) return;
  for (const auto& [name, label] : labels) {
    const bool there = std::binary_search(names.begin(), names.end(), name, natural_less);
    require<DataError>(there, "import",
                       "{}: has a label for {}, which is not there ({} files, {} labels)",
                       files.file_labels_from, name, names.size(), labels.size());
  }
}

Labels labels_of(const fs::path& json) {
  require<DataError>(fs::exists(json), "import",
                     "{}: there is no such file, which has the labels; --unlabelled where there "
                     "are none",
                     json.string());
  return parse_dataset_json(read_text(json, kLongest), json.string());
}

SampleFiles of_folder(const fs::path& folder, const fs::path& json, bool unlabelled) {
  SampleFiles files;
  files.unlabelled = unlabelled;
  files.file_labels_from = json.string();
  const Labels labels = unlabelled ? Labels{} : labels_of(json);
  std::vector<std::string> names;
  walk_files(folder, [&](const fs::path& path, const std::string& name) {
    if (holds_arrays(path)) names.push_back(name);
  });
  match(files, names, labels, folder.string());
  files.latents = named_files(folder, std::move(names));
  return files;
}

// "dataset.json", or "FOLDER/dataset.json" of a folder that was packed whole.
std::string json_member(const ZipReader& archive, const fs::path& path) {
  for (const std::string& name : archive.names()) {
    if (name == "dataset.json" || name.ends_with("/dataset.json")) return name;
  }
  fail<DataError>("import",
                  "{}: there is no dataset.json in it, which has the labels; --unlabelled where "
                  "there are none",
                  path.string());
}

std::string text_of(const ZipReader& archive, const std::string& member) {
  const auto stream = archive.open(member);
  require<DataError>(stream->size() <= kLongest, "import", "{}: {} bytes are no dataset.json",
                     stream->label(), stream->size());
  std::string text(stream->size(), '\0');
  stream->read(std::as_writable_bytes(std::span(text)));
  return text;
}

// By the names that the files have in the archive.
Labels labels_of(const ZipReader& archive, const std::string& member, const std::string& from) {
  const std::string folder = member.substr(0, member.size() - std::string("dataset.json").size());
  Labels labels;
  for (const auto& [name, label] : parse_dataset_json(text_of(archive, member), from)) {
    labels.emplace(folder + name, label);
  }
  return labels;
}

SampleFiles of_archive(const fs::path& path, bool unlabelled) {
  const auto archive = std::make_shared<const ZipReader>(path);
  SampleFiles files;
  files.unlabelled = unlabelled;
  Labels labels;
  if (!unlabelled) {
    const std::string member = json_member(*archive, path);
    files.file_labels_from = fmt::format("{}:{}", path.string(), member);
    labels = labels_of(*archive, member, files.file_labels_from);
  }
  std::vector<std::string> names;
  for (const std::string& name : archive->names()) {
    if (lower_case_extension(name) == ".npy" && !is_below_passed_over(name)) names.push_back(name);
  }
  match(files, names, labels, path.string());
  files.latents = files_of_zip(path, archive, std::move(names));
  return files;
}

constexpr const char* kJson = "dataset.json";

// The data sets below a group, but for the labels.
void add_names(const h5::File& file, const std::string& group, std::vector<std::string>& names) {
  for (const std::string& name : file.names(group.empty() ? "/" : group)) {
    const std::string whole = group.empty() ? name : group + "/" + name;
    if (file.is_group(whole)) {
      add_names(file, whole, names);
    } else if (whole != kJson) {
      names.push_back(whole);
    }
  }
}

// REPA-E's cache: the tree of files as groups and data sets, the labels as an array of bytes.
SampleFiles of_hdf5(const fs::path& path, bool unlabelled) {
  const auto file = std::make_shared<const h5::File>(h5::File::open(path));
  SampleFiles files;
  files.unlabelled = unlabelled;
  Labels labels;
  if (!unlabelled) {
    const h5::DataSet set = file->dataset(kJson);
    files.file_labels_from = set.label();
    require<DataError>(set.type() == h5::Type::kUInt8 && set.elements() <= kLongest, "import",
                       "{}: holds {} {}, the bytes of a JSON text are needed", set.label(),
                       set.elements(), set.type_name());
    const auto bytes = set.read_all<std::uint8_t>(h5::Type::kUInt8);
    labels = parse_dataset_json({bytes.begin(), bytes.end()}, set.label());
  }
  std::vector<std::string> names;
  add_names(*file, "", names);
  match(files, names, labels, path.string());
  files.latents = files_of_hdf5(file, std::move(names));
  return files;
}

}  // namespace

bool is_archive_with_json(const fs::path& path) {
  switch (kind_of_file(path)) {
    case FileKind::kZip: {
      const ZipReader archive(path);
      return std::ranges::any_of(archive.names(), [](const std::string& name) {
        return name == kJson || name.ends_with("/dataset.json");
      });
    }
    case FileKind::kHdf5:
      return h5::File::open(path).has(kJson);
    default:
      return false;
  }
}

SampleFiles files_with_json(const ImportOptions& options) {
  const bool folder = fs::is_directory(options.latents);
  require<UsageError>(
      options.labels.empty() || (folder && lower_case_extension(options.labels) == ".json"),
      "import", "--labels {} is of no use: {} has labels in its dataset.json",
      options.labels.string(), options.latents.string());
  SampleFiles files =
      folder ? of_folder(options.latents,
                         options.labels.empty() ? options.latents / "dataset.json" : options.labels,
                         options.unlabelled)
      : kind_of_file(options.latents) == FileKind::kHdf5
          ? of_hdf5(options.latents, options.unlabelled)
          : of_archive(options.latents, options.unlabelled);
  files.many = true;
  return files;
}

}  // namespace edt::data
