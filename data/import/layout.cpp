#include "data/import/layout.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/storage/durable_file.h"
#include "core/storage/file_kind.h"
#include "core/storage/missing_path.h"
#include "data/import/class_folders.h"
#include "data/import/dataset_json.h"
#include "data/import/foreign.h"
#include "data/walk.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

// What lies directly in a folder.
struct Listing {
  std::uint64_t arrays = 0;
  OtherFiles others;
  std::vector<std::string> folders;
  bool json = false;  // dataset.json
  UnfinishedFiles unfinished;
};

Listing list(const fs::path& folder) {
  Listing listing;
  std::error_code code, unknown;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const fs::path name = entry->path().filename();
    if (is_passed_over(name.string())) continue;
    if (is_unfinished(name.string())) {
      listing.unfinished.look_at(name.string());
    } else if (holds_arrays(name)) {
      ++listing.arrays;
    } else if (name == "dataset.json") {
      listing.json = true;
    } else if (entry->is_directory(unknown)) {
      listing.folders.push_back(name.string());
    } else {
      listing.others.add(name);
    }
  }
  require<DataError>(!code, "import", "{}: cannot be listed: {}", folder.string(), code.message());
  std::sort(listing.folders.begin(), listing.folders.end());
  return listing;
}

// The first file that is no array and that something can be said about.
void refuse_foreign_files(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_regular_file() || entry.path().filename().string()[0] == '.') continue;
    const FileKind kind = kind_of_file(entry.path());
    if (kind == FileKind::kUnknown || kind == FileKind::kJson || kind == FileKind::kEmpty) continue;
    refuse_foreign(entry.path(), kind);
  }
}

ImportLayout layout_of_folder(const fs::path& folder, const ImportOptions& options) {
  const Listing there = list(folder);
  there.unfinished.warn(folder.string());
  if (there.json || lower_case_extension(options.labels) == ".json") return ImportLayout::kJson;
  if (there.arrays > 0) return ImportLayout::kFolders;
  for (const std::string& name : there.folders) {
    require<UsageError>(!fs::exists(folder / name / "dataset.json"), "import",
                        "{}: holds no arrays, {} holds them with a dataset.json: import that",
                        folder.string(), (folder / name).string());
  }
  if (!there.folders.empty()) return ImportLayout::kClasses;
  refuse_foreign_files(folder);
  const std::string others = there.others.text();
  fail<DataError>("import",
                  "{}: holds no files of arrays (.npy, .npz, .safetensors, .h5, .hdf5){}{}",
                  folder.string(), others.empty() ? "" : "; there are: ", others);
}

// A folder in the one whose arrays are taken that holds arrays too; empty: none does.
std::string folder_left_out(const fs::path& folder) {
  for (const std::string& name : list(folder).folders) {
    if (list(folder / name).arrays > 0) return name;
  }
  return "";
}

// A first look, for the lines about objects of Python.
void refuse_object_files(const FileSet& files, bool of_folder) {
  const fs::path first = files.origin(0);
  if (lower_case_extension(first) == ".npy" && fs::exists(first)) refuse_objects(first, of_folder);
}

void add_labels(SampleFiles& files, const ImportOptions& options) {
  if (options.labels.empty()) return;
  if (!fs::is_directory(options.labels)) {
    const auto file = open_array_file(options.labels);
    files.all_labels =
        find_array(*file, {"--labels-key", options.labels_key, {"labels", "label"}}, false);
    return;
  }
  files.labels = files_of_folder(options.labels);
  require_pairs(*files.latents, options.latents.string(), *files.labels, options.labels.string());
}

// Mirrored copies of `latents`, under the same names elsewhere.
Files copies_of(const FileSet& latents, const ImportOptions& options, ImportLayout layout) {
  const fs::path& flipped = options.flipped_latents;
  if (layout == ImportLayout::kArray) return one_file(flipped);
  if (layout == ImportLayout::kFolders) {
    Files files = files_of_folder(flipped);
    require_pairs(latents, options.latents.string(), *files, flipped.string());
    return files;
  }
  require<UsageError>(fs::is_directory(flipped), "import", "{} is not a folder", flipped.string());
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < latents.size(); ++i) {
    names.push_back(latents.name(i));
    require<DataError>(fs::exists(flipped / names.back()), "import",
                       "{}: there is no mirrored copy {} of {}", flipped.string(), names.back(),
                       latents.origin(i));
  }
  return named_files(flipped, std::move(names));
}

// What is written must not become input of the next call.
void require_apart(const fs::path& out, const fs::path& latents) {
  require<UsageError>(!fs::is_directory(latents) || !lies_in(out, latents), "import",
                      "--out {} lies in --latents {}", out.string(), latents.string());
}

}  // namespace

ImportLayout layout_of(const ImportOptions& options) {
  const fs::path& latents = options.latents;
  std::error_code code;
  require<UsageError>(fs::exists(latents, code), "import", "{}: there is no such file or folder{}",
                      latents.string(), missing_path_hint(latents));
  const bool folder = fs::is_directory(latents, code);
  if (options.layout == ImportLayout::kAuto) {
    if (folder) {
      const ImportLayout found = layout_of_folder(latents, options);
      // Folders whose names mean nothing are as those of a dataset.json.
      const bool means_nothing = options.unlabelled && found == ImportLayout::kClasses;
      return means_nothing ? ImportLayout::kJson : found;
    }
    return is_archive_with_json(latents) ? ImportLayout::kJson : ImportLayout::kArray;
  }
  const bool wants_folder = options.layout != ImportLayout::kArray;
  require<UsageError>(folder == wants_folder || options.layout == ImportLayout::kJson, "import",
                      "{}: is a {}, --layout wants a {}", latents.string(),
                      folder ? "folder" : "file", wants_folder ? "folder" : "file");
  return options.layout;
}

namespace {

void require_no_labels(const ImportOptions& options) {
  const char* given = !options.labels.empty()                    ? "--labels"
                      : !options.labels_key.empty()              ? "--labels-key"
                      : options.layout == ImportLayout::kClasses ? "--layout classes"
                      : options.class_order != ClassOrder::kAuto ? "--class-order"
                                                                 : nullptr;
  require<UsageError>(given == nullptr, "import", "--unlabelled and {} are both given", given);
}

}  // namespace

SampleFiles find_sample_files(const ImportOptions& options) {
  if (options.unlabelled) require_no_labels(options);
  for (const fs::path& path : {options.labels, options.flipped_latents}) {
    require<UsageError>(path.empty() || fs::exists(path), "import",
                        "{}: there is no such file or folder{}", path.string(),
                        missing_path_hint(path));
  }
  SampleFiles files;
  const ImportLayout layout = layout_of(options);
  require<UsageError>(options.class_order == ClassOrder::kAuto || layout == ImportLayout::kClasses,
                      "import", "--class-order is of no use: {} has no folder for each class",
                      options.latents.string());
  files.unlabelled = options.unlabelled;
  require_apart(options.out, options.latents);
  files.many = layout != ImportLayout::kArray;
  if (layout == ImportLayout::kJson) {
    files = files_with_json(options);
  } else if (layout == ImportLayout::kClasses) {
    files = files_of_classes(options);
  } else {
    files.latents = files.many ? files_of_folder(options.latents) : one_file(options.latents);
    if (files.many) {
      files.left_out = folder_left_out(options.latents);
      files.others = list(options.latents).others.text();
    }
    refuse_object_files(*files.latents, files.many);
    add_labels(files, options);
  }
  if (options.unlabelled) files.file_labels_from = "none (--unlabelled)";
  if (options.flipped_latents.empty()) return files;
  std::error_code code;
  const bool same = fs::equivalent(options.latents, options.flipped_latents, code) &&
                    (options.flipped_key.empty() || options.flipped_key == options.latents_key);
  require<UsageError>(!same, "import", "--flipped-latents {} are the latents themselves",
                      options.flipped_latents.string());
  files.flipped = copies_of(*files.latents, options, layout);
  return files;
}

}  // namespace edt::data
