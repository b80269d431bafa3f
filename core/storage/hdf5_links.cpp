// HDF5 looks for the file behind an external link, or the source of a virtual data set, also in the
// present directory: another one of that name may lie there. Here only a place that does not depend
// on where the program was started will do.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "core/base/error.h"
#include "core/storage/hdf5_calls.h"

namespace edt::h5 {

namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// The first of the directories in `variable`, separated by colons, that has the file;
// "${ORIGIN}/..." is one below the holder's, which HDF5 knows for sources of virtual data sets
// alone.
std::optional<fs::path> under_prefix(const char* variable, const fs::path& name,
                                     const fs::path& holder) {
  constexpr std::string_view kOrigin = "${ORIGIN}";
  const char* text = std::getenv(variable);
  std::string_view rest = text == nullptr ? "" : text;
  if (rest.starts_with(kOrigin) && std::string_view(variable) == "HDF5_VDS_PREFIX") {
    rest.remove_prefix(kOrigin.size());
    const fs::path directory = holder.parent_path() / fs::path(rest).relative_path();
    return is_there(directory / name) ? std::optional(directory / name) : std::nullopt;
  }
  while (!rest.empty()) {
    const auto end = std::min(rest.find(':'), rest.size());
    const fs::path candidate = fs::path(rest.substr(0, end)) / name;
    if (end > 0 && is_there(candidate)) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return std::nullopt;
}

// What is wrong where HDF5 has opened `opened` behind a link: it goes on to the next place where it
// cannot open a file.
std::string mistaken(const LinkedFile& followed, const fs::path& opened) {
  std::error_code ignored;
  if (followed.path.empty() || fs::equivalent(followed.path, opened, ignored)) return "";
  return fmt::format("{} behind an external link cannot be opened as HDF5", followed.path.string());
}

// Called before HDF5 follows an external link: notes where that is to lead, or refuses.
herr_t follow(const char* holder, const char*, const char* name, const char*, unsigned*, hid_t,
              void* data) {
  auto& followed = *static_cast<LinkedFile*>(data);
  if (const std::string problem = mistaken(followed, holder); !problem.empty()) {
    followed.problem = problem;
  } else {
    followed = linked_file(name, holder, "HDF5_EXT_PREFIX");
  }
  return followed.problem.empty() ? 0 : -1;
}

}  // namespace

// HDF5's order, without its last resort.
LinkedFile linked_file(const std::string& name, const fs::path& holder, const char* prefixes) {
  const fs::path path(name);
  if (path.is_absolute() && is_there(path)) return {path, ""};
  const fs::path relative = path.is_absolute() ? path.filename() : path;
  if (const auto found = under_prefix(prefixes, relative, holder)) return {*found, ""};
  const fs::path beside = holder.parent_path() / relative;
  if (is_there(beside)) return {beside, ""};
  // Before it would follow a link that leads to the holder, HDF5 takes a file of the present
  // directory.
  std::error_code code;
  const fs::path real = fs::canonical(holder, code).parent_path() / relative;
  const bool elsewhere = is_there(relative);
  if (!code && is_there(real) && !elsewhere) return {real, ""};
  std::string problem = fmt::format("its source {} is missing", beside.string());
  if (elsewhere) problem += " (a file of that name in the present directory is not read)";
  return {"", problem};
}

LinkAccess::LinkAccess(std::int64_t list_class) : list_(H5Pcreate(list_class), close_properties) {
  H5Pset_elink_cb(list_.get(), follow, &followed_);
}

void LinkAccess::require_followed(std::int64_t object, const std::string& label) const {
  std::string problem = followed_.problem;
  if (problem.empty() && object >= 0) problem = mistaken(followed_, file_of(object, label));
  require<DataError>(problem.empty(), "hdf5", "{}: {}", label, problem);
}

}  // namespace edt::h5
