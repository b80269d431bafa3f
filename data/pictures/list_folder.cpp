#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"
#include "data/class_order.h"
#include "data/pictures/label_list.h"
#include "data/pictures/lister.h"
#include "data/walk.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

// Pictures below `folder`, as torchvision walks: by the path of their folder, then by name. One
// class is in memory at a time.
std::vector<std::string> pictures_below(Lister& lister, const fs::path& folder) {
  std::vector<std::pair<std::string, std::string>> found;
  walk_files(folder, [&](const fs::path&, const std::string& name) {
    if (!is_picture_name(name)) return lister.add_other_file(name);
    const std::size_t slash = name.rfind('/');
    if (slash == name.npos) {
      found.emplace_back("", name);
    } else {
      found.emplace_back("/" + name.substr(0, slash), name.substr(slash + 1));
    }
  });
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  names.reserve(found.size());
  for (const auto& [below, name] : found) {
    names.push_back(below.empty() ? name : below.substr(1) + "/" + name);
  }
  return names;
}

void list_class(Lister& lister, std::uint32_t source, const fs::path& folder,
                const std::string& name) {
  const auto pictures = pictures_below(lister, folder / name);
  require<DataError>(!pictures.empty(), "pictures", "{}: a class without pictures",
                     (folder / name).string());
  for (const std::string& picture : pictures) {
    lister.add_of_class({.name = name + "/" + picture, .source = source}, name);
  }
}

// Its classes would be taken for numbered parts.
void refuse_dataset_json(const fs::path& folder) {
  std::error_code code;
  require<UsageError>(!fs::exists(folder / "dataset.json", code), "pictures",
                      "{}: its labels stand in a dataset.json, not in its folders: write them as "
                      "lines of a name and a number, and give these with --labels",
                      folder.string());
}

// Where no file has the name that a list gives, but one nearly: without its ending, or behind the
// folders that lead to `folder`. Of the first name, as the others will be alike.
void refuse_other_names(const fs::path& list, const fs::path& folder, const std::string& name) {
  std::error_code code;
  const fs::path said = folder / name;
  if (fs::exists(said, code)) return;
  std::string hint;
  for (fs::directory_iterator entry(said.parent_path(), code), end; !code && entry != end;
       entry.increment(code)) {
    const fs::path there = entry->path();
    if (there.stem() == said.filename() && is_picture_name(there.filename().string())) {
      hint = fmt::format("{} is: names in a list need their endings", there.string());
    }
  }
  const fs::path relative(name);
  fs::path rest;
  for (auto part = relative.begin(); part != relative.end() && hint.empty(); ++part) {
    rest = fs::path();
    for (auto next = std::next(part); next != relative.end(); ++next) rest /= *next;
    if (rest.empty() || !fs::exists(folder / rest, code)) continue;
    hint = fmt::format("{} is: names in a list begin below the folder of --pictures",
                       (folder / rest).string());
  }
  require<DataError>(hint.empty(), "pictures", "{}: '{}' is not in {}, {}", list.string(), name,
                     folder.string(), hint);
}

// Where folders of classes lie one level deeper than was said: the names of theirs would be the
// classes, as with torchvision.
void refuse_folders_above(const fs::path& folder, const std::vector<std::string>& classes) {
  if (classes.empty()) return;
  const bool are_parts = are_parts_of_a_set(classes);
  const bool hold_folders = std::ranges::all_of(classes, [&](const std::string& name) {
    return !folders_in(folder / name, "pictures").empty();
  });
  require<UsageError>(!are_parts || !hold_folders, "pictures",
                      "{}: its folders ({}) are parts of a set, not classes: give one, as {}; a "
                      "list (--labels) takes pictures of any",
                      folder.string(), fmt::join(classes, ", "), (folder / classes[0]).string());
  if (are_parts) {
    log::warning("{}: its folders ({}) are taken as classes: are they parts of a set?",
                 folder.string(), fmt::join(classes, ", "));
  }
  if (classes.size() != 1 || folders_in(folder / classes[0], "pictures").size() < 2) return;
  bool has_pictures = false;
  walk_files(folder / classes[0], [&](const fs::path&, const std::string& name) {
    has_pictures = has_pictures || (name.find('/') == name.npos && is_picture_name(name));
  });
  require<UsageError>(has_pictures, "pictures",
                      "{0}: its one folder, {1}, holds folders of pictures: are these the classes? "
                      "--pictures {2}; --classes 1 takes all as one class",
                      folder.string(), classes[0], (folder / classes[0]).string());
}

// torchvision takes none of them, and says nothing.
void warn_of_strays(const fs::path& folder) {
  std::vector<std::string> strays;
  std::error_code code, unknown;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    const bool counts = !is_passed_over(name) && is_picture_name(name);
    if (counts && !entry->is_directory(unknown)) strays.push_back(name);
  }
  if (strays.empty()) return;
  log::warning("{}: {} picture{} beside the class folders {} left out, as {}", folder.string(),
               strays.size(), strays.size() == 1 ? "" : "s", strays.size() == 1 ? "is" : "are",
               *std::ranges::min_element(strays));
}

}  // namespace

void list_folder(Lister& lister, const fs::path& folder) {
  const std::uint32_t source = lister.begin_source({.path = folder});
  const PictureListOptions& options = lister.options();
  if (!options.labels.empty()) {
    bool is_first = true;
    for_each_picture_of_list(options.labels, folder,
                             [&](const std::string& name, std::int32_t label) {
                               if (std::exchange(is_first, false)) {
                                 refuse_other_names(options.labels, folder, name);
                               }
                               lister.add_labelled({.name = name, .source = source}, label);
                             });
    return;
  }
  if (lister.is_one_class()) {
    for (const std::string& picture : pictures_below(lister, folder)) {
      lister.add_labelled({.name = picture, .source = source}, 0);
    }
    return;
  }
  refuse_dataset_json(folder);
  const auto classes = folders_in(folder, "pictures");
  if (classes.empty()) {
    const auto pictures = pictures_below(lister, folder);
    if (!pictures.empty()) lister.refuse_unlabelled((folder / pictures[0]).string());
  }
  refuse_folders_above(folder, classes);
  require_different_folders(folder, classes, "pictures");
  if (!classes.empty()) warn_of_strays(folder);
  for (const std::string& name : classes) list_class(lister, source, folder, name);
}

}  // namespace edt::data
