#include "data/walk.h"

#include <algorithm>

#include "core/base/error.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;
using Visit = std::function<void(const fs::path&, const std::string&)>;

constexpr int kDeepest = 16;

void walk_below(const fs::path& folder, const std::string& prefix, int depth, const Visit& visit) {
  require<DataError>(depth <= kDeepest, "data", "{}: more than {} folders deep: a link to itself?",
                     folder.string(), kDeepest);
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (name[0] == '.') continue;
    std::error_code unknown;
    if (entry->is_directory(unknown)) {
      walk_below(entry->path(), prefix + name + "/", depth + 1, visit);
    } else if (entry->is_regular_file(unknown)) {
      visit(entry->path(), prefix + name);
    } else {
      require<DataError>(entry->status(unknown).type() != fs::file_type::not_found, "data",
                         "{}: is a link to {}, which is not there", entry->path().string(),
                         fs::read_symlink(entry->path(), unknown).string());
    }
  }
  require<DataError>(!code, "data", "{}: cannot be listed: {}", folder.string(), code.message());
}

}  // namespace

std::vector<std::string> folders_in(const fs::path& folder, std::string_view where) {
  std::vector<std::string> names;
  std::error_code code, unknown;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (name[0] != '.' && entry->is_directory(unknown)) names.push_back(name);
  }
  require<DataError>(!code, where, "{}: cannot be listed: {}", folder.string(), code.message());
  std::sort(names.begin(), names.end());
  return names;
}

void walk_files(const fs::path& folder, const Visit& visit) { walk_below(folder, "", 0, visit); }

}  // namespace edt::data
