#include "data/import/file_set.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "core/base/error.h"
#include "core/storage/durable_file.h"
#include "core/storage/missing_path.h"
#include "core/storage/npy.h"
#include "core/unicode/unicode.h"
#include "data/natural_order.h"
#include "data/walk.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

class NamedFiles : public FileSet {
 public:
  NamedFiles(fs::path folder, std::vector<std::string> names)
      : folder_(std::move(folder)), names_(std::move(names)) {}
  std::uint64_t size() const override { return names_.size(); }
  std::string name(std::uint64_t i) const override { return names_[i]; }
  std::string origin(std::uint64_t i) const override { return (folder_ / names_[i]).string(); }
  std::unique_ptr<ArrayFile> open(std::uint64_t i) const override {
    return open_array_file(folder_ / names_[i]);
  }

 private:
  fs::path folder_;
  std::vector<std::string> names_;
};

// first.EXT, first + 1.EXT, ...
class CountedFiles : public FileSet {
 public:
  CountedFiles(fs::path folder, std::string extension, std::uint64_t first, std::uint64_t count)
      : folder_(std::move(folder)),
        extension_(std::move(extension)),
        first_(first),
        count_(count) {}
  std::uint64_t size() const override { return count_; }
  std::string name(std::uint64_t i) const override {
    return fmt::format("{}{}", first_ + i, extension_);
  }
  std::string origin(std::uint64_t i) const override { return (folder_ / name(i)).string(); }
  std::unique_ptr<ArrayFile> open(std::uint64_t i) const override {
    return open_array_file(folder_ / name(i));
  }

 private:
  fs::path folder_;
  std::string extension_;
  std::uint64_t first_, count_;
};

// One array without a name, as .npy.
class ZipMember : public ArrayFile {
 public:
  ZipMember(const fs::path& label, std::shared_ptr<const ZipReader> archive, std::string name)
      : ArrayFile(label), archive_(std::move(archive)), name_(std::move(name)) {}
  bool has_names() const override { return false; }
  std::vector<std::string> list() const override { return {}; }
  std::unique_ptr<Array> find(const std::string&) const override {
    return npy_array(archive_->open(name_));
  }

 private:
  std::shared_ptr<const ZipReader> archive_;
  std::string name_;
};

class ZipFiles : public FileSet {
 public:
  ZipFiles(fs::path path, std::shared_ptr<const ZipReader> archive, std::vector<std::string> names)
      : path_(std::move(path)), archive_(std::move(archive)), names_(std::move(names)) {}
  std::uint64_t size() const override { return names_.size(); }
  std::string name(std::uint64_t i) const override { return names_[i]; }
  std::string origin(std::uint64_t i) const override { return path_.string() + ":" + names_[i]; }
  std::unique_ptr<ArrayFile> open(std::uint64_t i) const override {
    return std::make_unique<ZipMember>(origin(i), archive_, names_[i]);
  }

 private:
  fs::path path_;
  std::shared_ptr<const ZipReader> archive_;
  std::vector<std::string> names_;
};

class Hdf5Member : public ArrayFile {
 public:
  Hdf5Member(const fs::path& label, std::shared_ptr<const h5::File> file, std::string name)
      : ArrayFile(label), file_(std::move(file)), name_(std::move(name)) {}
  bool has_names() const override { return false; }
  std::vector<std::string> list() const override { return {}; }
  std::unique_ptr<Array> find(const std::string&) const override {
    return hdf5_array(file_, name_);
  }

 private:
  std::shared_ptr<const h5::File> file_;
  std::string name_;
};

class Hdf5Files : public FileSet {
 public:
  Hdf5Files(std::shared_ptr<const h5::File> file, std::vector<std::string> names)
      : file_(std::move(file)), names_(std::move(names)) {}
  std::uint64_t size() const override { return names_.size(); }
  std::string name(std::uint64_t i) const override { return names_[i]; }
  std::string origin(std::uint64_t i) const override {
    return file_->path().string() + ":/" + names_[i];
  }
  std::unique_ptr<ArrayFile> open(std::uint64_t i) const override {
    return std::make_unique<Hdf5Member>(origin(i), file_, names_[i]);
  }

 private:
  std::shared_ptr<const h5::File> file_;
  std::vector<std::string> names_;
};

template <class Visit>
void for_each_file(const fs::path& folder, Visit visit) {
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const fs::path name = entry->path().filename();
    if (holds_arrays(name)) visit(name);
  }
  require<DataError>(!code, "import", "{}: cannot be listed: {}", folder.string(), code.message());
}

// What a pass over the names tells.
struct Names {
  std::set<std::string> extensions;
  bool counting = true;  // first ... first + count - 1, each written in one way
  std::uint64_t first = 0, count = 0;
};

Names look_at_names(const fs::path& folder) {
  Names names;
  std::uint64_t last = 0;
  for_each_file(folder, [&](const fs::path& name) {
    const std::string stem = name.stem().string();
    std::uint64_t number = 0;
    const auto [end, status] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
    names.counting = names.counting && status == std::errc() && end == stem.data() + stem.size() &&
                     stem == fmt::to_string(number);
    names.first = names.count == 0 ? number : std::min(names.first, number);
    last = names.count == 0 ? number : std::max(last, number);
    names.extensions.insert(name.extension().string());
    ++names.count;
  });
  names.counting = names.counting && names.count > 0 && last - names.first == names.count - 1;
  return names;
}

}  // namespace

bool holds_arrays(const fs::path& name) {
  constexpr std::array<std::string_view, 5> kExtensions{".npy", ".npz", ".safetensors", ".h5",
                                                        ".hdf5"};
  const std::string extension = lower_case_extension(name);
  return !is_passed_over(name.filename().string()) &&
         std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

Files one_file(fs::path path) {
  fs::path folder = path.parent_path();
  return named_files(std::move(folder), {path.filename().string()});
}

Files named_files(fs::path folder, std::vector<std::string> names) {
  return std::make_unique<NamedFiles>(std::move(folder), std::move(names));
}

Files files_of_folder(const fs::path& folder) {
  std::error_code code;
  require<DataError>(fs::is_directory(folder, code), "import", "{} is not a folder",
                     folder.string());
  const Names found = look_at_names(folder);
  require<DataError>(found.count > 0, "import",
                     "{}: holds no files of arrays (.npy, .npz, .safetensors, .h5, .hdf5)",
                     folder.string());
  require<DataError>(found.extensions.size() == 1, "import",
                     "{}: holds {} and {} files: of which are the samples?", folder.string(),
                     *found.extensions.begin(), *found.extensions.rbegin());
  if (found.counting) {
    return std::make_unique<CountedFiles>(folder, *found.extensions.begin(), found.first,
                                          found.count);
  }
  std::vector<std::string> names;
  for_each_file(folder, [&](const fs::path& name) { names.push_back(name.string()); });
  std::sort(names.begin(), names.end(), natural_less);
  return named_files(folder, std::move(names));
}

Files files_beside(const fs::path& path, const FileSet* others, const std::string& option,
                   bool* named_alike) {
  std::error_code code;
  require<UsageError>(fs::exists(path, code), "import", "{} {}: there is no such file or folder{}",
                      option, path.string(), missing_path_hint(path));
  if (!fs::is_directory(path, code)) return one_file(path);
  const bool has_all = others != nullptr && others->size() > 1 &&
                       fs::exists(path / others->name(0)) &&
                       fs::exists(path / others->name(others->size() - 1));
  if (!has_all) return files_of_folder(path);
  if (named_alike != nullptr) *named_alike = true;
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < others->size(); ++i) names.push_back(others->name(i));
  return named_files(path, std::move(names));
}

Files files_of_zip(fs::path path, std::shared_ptr<const ZipReader> archive,
                   std::vector<std::string> names) {
  return std::make_unique<ZipFiles>(std::move(path), std::move(archive), std::move(names));
}

Files files_of_hdf5(std::shared_ptr<const h5::File> file, std::vector<std::string> names) {
  return std::make_unique<Hdf5Files>(std::move(file), std::move(names));
}

namespace {

// Whether a name of `a` is one of `b` in another form of Unicode: for the line that says that they
// do not pair.
bool differ_in_form(const FileSet& a, const FileSet& b) {
  std::set<std::string> names, forms;
  for (std::uint64_t i = 0; i < b.size(); ++i) {
    names.insert(b.name(i));
    forms.insert(composed(b.name(i)));
  }
  for (std::uint64_t i = 0; i < a.size(); ++i) {
    if (!names.contains(a.name(i)) && forms.contains(composed(a.name(i)))) return true;
  }
  return false;
}

}  // namespace

void require_pairs(const FileSet& a, const std::string& label_a, const FileSet& b,
                   const std::string& label_b) {
  for (std::uint64_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a.name(i) == b.name(i)) continue;
    fail<DataError>("import", "{} and {} do not pair: file {} is {} and {}{}", label_a, label_b, i,
                    a.name(i), b.name(i), differ_in_form(a, b) ? kOtherForm : "");
  }
  require<DataError>(a.size() == b.size(), "import", "{} holds {} files, {} holds {}", label_a,
                     a.size(), label_b, b.size());
}

}  // namespace edt::data
