#include "data/pictures/list.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/missing_path.h"
#include "data/fingerprint.h"
#include "data/natural_order.h"
#include "data/pictures/label_list.h"
#include "data/pictures/lister.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kArchiveEndings{".tar", ".tar.gz", ".tgz", ".tar.zst",
                                                          ".tar.xz"};

bool ends_as(std::string_view name, std::string_view lower_case) {
  if (name.size() <= lower_case.size()) return false;
  const std::string_view tail = name.substr(name.size() - lower_case.size());
  return std::equal(tail.begin(), tail.end(), lower_case.begin(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == b;
  });
}

bool ends_as_any(std::string_view name, std::span<const std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](std::string_view ending) { return ends_as(name, ending); });
}

// "train" of "train.tar.gz".
std::string_view stem_of_archive(std::string_view name) {
  for (const std::string_view ending : kArchiveEndings) {
    if (ends_as(name, ending)) return name.substr(0, name.size() - ending.size());
  }
  return name;
}

// One that was packed and kept: each picture would be there twice.
void require_each_archive_once(const fs::path& folder, const std::vector<std::string>& names) {
  std::map<std::string_view, std::string_view> stems;
  for (const std::string& name : names) {
    const auto [other, is_new] = stems.try_emplace(stem_of_archive(name), name);
    require<DataError>(is_new, "pictures",
                       "{}: are {} and {} one archive, packed in two ways? Give one of them",
                       folder.string(), other->second, name);
  }
}

// The archives of a folder that holds nothing else of use, in natural order.
std::vector<fs::path> archives_of(const fs::path& folder) {
  std::vector<std::string> names;
  UnfinishedFiles unfinished;
  std::error_code code, unknown;
  bool has_others = false;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (is_passed_over(name)) continue;
    unfinished.look_at(name);
    if (is_archive_name(name) && entry->is_regular_file(unknown)) names.push_back(name);
    has_others = has_others || entry->is_directory(unknown) || is_picture_name(name);
  }
  require<DataError>(!code, "pictures", "{}: cannot be listed: {}", folder.string(),
                     code.message());
  std::sort(names.begin(), names.end(), natural_less);
  if (has_others && !names.empty()) {
    log::warning("{}: {} beside its folders or pictures {} left out ({})", folder.string(),
                 names.size() == 1 ? "the archive" : fmt::format("{} archives", names.size()),
                 names.size() == 1 ? "is" : "are", names[0]);
  }
  if (has_others) return {};
  unfinished.warn(folder.string());
  require_each_archive_once(folder, names);
  std::vector<fs::path> archives;
  archives.reserve(names.size());
  for (const std::string& name : names) archives.push_back(folder / name);
  return archives;
}

struct Inputs {
  std::vector<fs::path> folders, archives;
};

Inputs find_inputs(const PictureListOptions& options) {
  Inputs inputs;
  std::set<fs::path> seen;
  for (const fs::path& path : options.pictures) {
    std::error_code code;
    const bool is_folder = fs::is_directory(path, code);
    require<DataError>(is_folder || fs::is_regular_file(path, code), "pictures",
                       "{}: there is no such folder or archive{}", path.string(),
                       missing_path_hint(path));
    require<UsageError>(seen.insert(fs::canonical(path)).second, "pictures",
                        "--pictures names {} twice: each picture in it would be two samples",
                        path.string());
    if (!is_folder) {
      require<UsageError>(!is_picture_name(path.filename().string()), "pictures",
                          "{}: is one picture: a folder of them, or an archive, is needed",
                          path.string());
      inputs.archives.push_back(path);
      continue;
    }
    const auto archives = archives_of(path);
    if (archives.empty()) inputs.folders.push_back(path);
    inputs.archives.insert(inputs.archives.end(), archives.begin(), archives.end());
  }
  require_no_copies(inputs.archives, "pictures");
  require<UsageError>(inputs.folders.empty() || inputs.archives.empty(), "pictures",
                      "--pictures names the folder {} and the archive {}: one kind is needed",
                      inputs.folders.empty() ? "" : inputs.folders[0].string(),
                      inputs.archives.empty() ? "" : inputs.archives[0].string());
  require<UsageError>(inputs.folders.size() <= 1 || options.labels.empty(), "pictures",
                      "--labels belongs to one folder, --pictures names {}", inputs.folders.size());
  return inputs;
}

ListedLabels read_labels(const fs::path& file) {
  ListedLabels labels;
  for_each_label(file, [&](const std::string& name, std::int32_t label) {
    const std::string within = name.starts_with("./") ? name.substr(2) : name;
    const auto [place, is_new] = labels.try_emplace(within, ListedLabel{label});
    require<DataError>(is_new, "pictures", "{}: '{}' stands twice", file.string(), place->first);
  });
  return labels;
}

}  // namespace

bool is_picture_name(std::string_view name) {
  // Those that torchvision takes, and what it leaves out without a word: these are pictures too.
  static constexpr std::array<std::string_view, 15> kEndings{
      ".jpg",  ".jpeg", ".png",  ".ppm",  ".bmp",  ".pgm", ".tif", ".tiff",
      ".webp", ".gif",  ".avif", ".heic", ".heif", ".jxl", ".jp2"};
  return ends_as_any(name, kEndings);
}

bool is_archive_name(std::string_view name) { return ends_as_any(name, kArchiveEndings); }

Lister::Lister(const PictureListOptions& options, PictureIndexWriter& index,
               std::function<void(std::uint64_t)> progress)
    : options_(options), index_(index), progress_(std::move(progress)) {}

std::uint32_t Lister::begin_source(PictureSources::Source source) {
  source.path = fs::absolute(source.path);
  sources_.sources.push_back(std::move(source));
  return static_cast<std::uint32_t>(sources_.sources.size() - 1);
}

void Lister::add(PictureEntry entry) {
  index_.add(entry);
  if (progress_) progress_(index_.size());
}

void Lister::add_of_class(PictureEntry entry, const std::string& class_name) {
  const auto next = static_cast<std::int32_t>(classes_.size());
  entry.label = classes_.try_emplace(class_name, next).first->second;
  if (named_.empty()) named_ = entry.name;
  add(std::move(entry));
}

void Lister::add_labelled(PictureEntry entry, std::int32_t label) {
  entry.label = label;
  sources_.largest_label = std::max(sources_.largest_label, label);
  if (numbered_.empty()) numbered_ = entry.name;
  add(std::move(entry));
}

void Lister::add_other_file(const std::string& name) {
  ++sources_.other_files;
  unfinished_.look_at(name);
}

void Lister::refuse_unlabelled(const std::string& picture, const std::string& more) const {
  fail<UsageError>("pictures",
                   "{}: has no label: neither a folder of its class nor a list (--labels) says "
                   "one{}; --classes 1 takes all pictures as one class",
                   picture, more);
}

PictureSources Lister::finish() {
  require<DataError>(named_.empty() || numbered_.empty(), "pictures",
                     "the label of {} is the name of its folder, that of {} is a number", named_,
                     numbered_);
  for (const auto& [name, place] : classes_) sources_.class_names.push_back(name);
  const std::string label = options_.pictures[0].string();
  unfinished_.warn(label);
  order_classes(sources_.class_names, options_.class_order, label);
  sources_.class_label.resize(classes_.size());
  for (std::size_t i = 0; i < classes_.size(); ++i) {
    const std::int32_t place = classes_.at(sources_.class_names[i]);
    sources_.class_label[static_cast<std::size_t>(place)] = static_cast<std::int32_t>(i);
  }
  if (!classes_.empty()) sources_.largest_label = static_cast<std::int32_t>(classes_.size()) - 1;
  require<DataError>(
      index_.size() > 0, "pictures", "{}: holds no pictures (.jpg, .jpeg, .png, .webp){}", label,
      sources_.other_files > 0 ? fmt::format(", and {} other files", sources_.other_files) : "");
  const std::size_t more = options_.pictures.size() - 1;
  const std::uint64_t others = sources_.other_files;
  sources_.summary = fmt::format(
      "{} picture{} of {}{}{}", index_.size(), index_.size() == 1 ? "" : "s", label,
      more > 0 ? fmt::format(" and {} more", more) : "",
      others > 0 ? fmt::format("; {} other file{} left out", others, others == 1 ? " is" : "s are")
                 : "");
  return std::move(sources_);
}

PictureSources list_pictures(const PictureListOptions& options, PictureIndexWriter& index,
                             const std::function<void(std::uint64_t)>& progress) {
  const Inputs inputs = find_inputs(options);
  Lister lister(options, index, progress);
  for (const fs::path& folder : inputs.folders) list_folder(lister, folder);
  if (!inputs.archives.empty()) {
    ListedLabels labels;
    if (!options.labels.empty()) labels = read_labels(options.labels);
    for (const fs::path& archive : inputs.archives) {
      list_archive(lister, archive, options.labels.empty() ? nullptr : &labels);
    }
    for (const auto& [name, label] : labels) {
      require<DataError>(label.is_found, "pictures", "{}: '{}' is in none of the archives{}",
                         options.labels.string(), name,
                         label.has_other_form ? kOtherForm : lister.unlisted());
    }
  }
  return lister.finish();
}

int classes_of(const PictureListOptions& options, const PictureSources& sources) {
  const int needed = sources.largest_label + 1;
  if (options.classes == 0) return needed;
  const bool fits =
      sources.class_names.empty() ? options.classes >= needed : options.classes == needed;
  require<UsageError>(fits, "pictures", "--classes is {}, and {}", options.classes,
                      sources.class_names.empty()
                          ? fmt::format("the largest label is {}", sources.largest_label)
                          : fmt::format("there are {} class folders", needed));
  return options.classes;
}

}  // namespace edt::data
