#include "data/import/class_folders.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"
#include "data/class_order.h"
#include "data/natural_order.h"
#include "data/walk.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> folders_of(const fs::path& path) {
  std::vector<std::string> names = folders_in(path, "import");
  for (const std::string& name : names) {
    require<DataError>(name.find('\n') == name.npos, "import",
                       "{}: the name of the class folder '{}' has more than one line",
                       path.string(), name);
  }
  require<DataError>(!names.empty(), "import", "{}: holds no folders", path.string());
  require_different_folders(path, names, "import");
  return names;
}

// Its files of arrays, in natural order; a class without any is a mistake.
std::vector<std::string> files_of_class(const fs::path& folder, OtherFiles& others) {
  std::vector<std::string> names;
  std::string below;
  UnfinishedFiles unfinished;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    unfinished.look_at(name);
    if (is_passed_over(name)) continue;
    if (entry.is_directory()) {
      below = name;
    } else if (holds_arrays(name)) {
      names.push_back(name);
    } else if (!is_unfinished(name)) {
      others.add(name);
    }
  }
  require<DataError>(
      below.empty(), "import",
      "{}: is no class: it holds the folder {}; give the folder whose folders are the "
      "classes",
      folder.string(), below);
  require<DataError>(!names.empty(), "import",
                     "{}: a class without files of arrays (.npy, .npz, .safetensors, .h5, .hdf5)",
                     folder.string());
  unfinished.warn(folder.string());
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

bool is_number(const std::string& name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The tools of EDM number their folders 00000, 00001, ... without any regard to classes.
void refuse_numbered_parts(const ImportOptions& options, const std::vector<std::string>& folders) {
  const bool numbered = std::all_of(folders.begin(), folders.end(), [](const std::string& name) {
    return name.size() == 5 && is_number(name);
  });
  const fs::path first = options.latents / folders[0];
  OtherFiles unused;
  const bool like_edm = numbered && files_of_class(first, unused)[0].starts_with("img");
  require<DataError>(
      !like_edm || options.layout == ImportLayout::kClasses, "import",
      "{}: its folders {}, ... are numbered parts as EDM's tools write them, but "
      "dataset.json with the labels is missing; --layout classes takes each as a class",
      options.latents.string(), folders[0]);
}

void refuse_parts(const ImportOptions& options, const std::vector<std::string>& folders) {
  require<UsageError>(
      !are_parts_of_a_set(folders) || options.layout == ImportLayout::kClasses, "import",
      "{}: its folders ({}) are parts of a set, not classes: give one, as --latents {}; --layout "
      "classes takes each as a class",
      options.latents.string(), fmt::join(folders, ", "), (options.latents / folders[0]).string());
}

// Folders of latents and of labels side by side are no classes.
void refuse_labels_folder(const ImportOptions& options, const std::vector<std::string>& folders) {
  for (const std::string& name : folders) {
    const bool labels = name.find("label") != name.npos;
    if (!labels || options.layout == ImportLayout::kClasses) continue;
    const std::string& other = folders[folders[0] == name && folders.size() > 1 ? 1 : 0];
    fail<UsageError>(
        "import",
        "{}: its folder {} looks like labels, not like a class: --latents {} --labels {}, or "
        "--layout classes",
        options.latents.string(), name, (options.latents / other).string(),
        (options.latents / name).string());
  }
}

}  // namespace

SampleFiles files_of_classes(const ImportOptions& options) {
  require<UsageError>(options.labels.empty() && options.labels_key.empty(), "import",
                      "{} is of no use: the labels are the folders of {}",
                      options.labels.empty() ? "--labels-key" : "--labels",
                      options.latents.string());
  SampleFiles files;
  files.class_names = folders_of(options.latents);
  refuse_labels_folder(options, files.class_names);
  refuse_numbered_parts(options, files.class_names);
  order_classes(files.class_names, options.class_order, options.latents.string());
  files.file_labels_from = options.latents.string();
  files.many = true;
  OtherFiles others;
  std::vector<std::string> names;
  for (std::size_t label = 0; label < files.class_names.size(); ++label) {
    const std::string& folder = files.class_names[label];
    for (const std::string& name : files_of_class(options.latents / folder, others)) {
      names.push_back(folder + "/" + name);
      files.file_labels.push_back(static_cast<std::int64_t>(label));
    }
  }
  refuse_parts(options, files.class_names);  // which hold arrays, not the folders of classes
  files.latents = named_files(options.latents, std::move(names));
  files.others = others.text();
  return files;
}

}  // namespace edt::data
