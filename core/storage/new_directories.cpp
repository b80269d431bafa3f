#include "core/storage/new_directories.h"

namespace edt {

namespace fs = std::filesystem;

NewDirectories::NewDirectories(const fs::path& directory) {
  std::error_code error;
  fs::path path = fs::absolute(directory, error).lexically_normal();
  for (; path.has_relative_path() && !fs::exists(fs::symlink_status(path, error));
       path = path.parent_path()) {
    missing_.push_back(path);
  }
}

NewDirectories::~NewDirectories() {
  std::error_code not_empty;
  for (const fs::path& path : missing_) fs::remove(path, not_empty);
}

}  // namespace edt
