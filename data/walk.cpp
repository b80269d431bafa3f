#include "data/walk.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/access.h"
#include "core/storage/durable_file.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;
using Visit = std::function<void(const fs::path&, const std::string&)>;

constexpr int kDeepest = 16;

// A link that leads nowhere, what may not be looked at, or what no data can be in.
[[noreturn]] void refuse_entry(const fs::path& path, fs::file_type type, std::error_code why) {
  std::error_code unknown;
  const bool is_lost =
      type == fs::file_type::not_found || why == std::errc::too_many_symbolic_link_levels;
  require<DataError>(!is_lost, "data", "{}: is a link to {}, which is not there", path.string(),
                     fs::read_symlink(path, unknown).string());
  require<DataError>(!why, "data", "{}: cannot be read: {}", path.string(),
                     error_text(why.value(), path));
  fail<DataError>("data", "{}: is neither a file nor a folder (a pipe, a socket or a device)",
                  path.string());
}

void walk_below(const fs::path& folder, const std::string& prefix, int depth, const Visit& visit) {
  require<DataError>(depth <= kDeepest, "data", "{}: more than {} folders deep: a link to itself?",
                     folder.string(), kDeepest);
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (is_passed_over(name)) continue;
    std::error_code why;
    const fs::file_type type = entry->status(why).type();
    if (type == fs::file_type::directory) {
      walk_below(entry->path(), prefix + name + "/", depth + 1, visit);
    } else if (type == fs::file_type::regular) {
      visit(entry->path(), prefix + name);
    } else {
      refuse_entry(entry->path(), type, why);
    }
  }
  require<DataError>(!code, "data", "{}: cannot be listed: {}", folder.string(), code.message());
}

}  // namespace

bool is_passed_over(std::string_view name) {
  constexpr std::array<std::string_view, 5> kOfSystems{"__MACOSX", "@eaDir", "lost+found",
                                                       "$RECYCLE.BIN", "System Volume Information"};
  return name.starts_with('.') || std::ranges::find(kOfSystems, name) != kOfSystems.end();
}

bool is_below_passed_over(std::string_view path) {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    if (part != "." && part != ".." && is_passed_over(part)) return true;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return false;
}

bool is_unfinished(std::string_view name) {
  constexpr std::array<std::string_view, 8> kEndings{".part",     ".partial",  ".crdownload",
                                                     ".download", ".filepart", ".incomplete",
                                                     ".aria2",    ".tmp"};
  const std::string ending = lower_case_extension(fs::path(name));
  return std::ranges::find(kEndings, ending) != kEndings.end();
}

void UnfinishedFiles::look_at(const std::string& name) {
  if (!is_unfinished(name)) return;
  if (count_++ == 0) first_ = name;
}

void UnfinishedFiles::warn(const std::string& where) const {
  if (count_ == 0) return;
  log::warning(
      "{}: {} of its files {} as a download or a copy that has not ended ({}) and {} left "
      "out",
      where, count_, count_ == 1 ? "is named" : "are named", first_, count_ == 1 ? "is" : "are");
}

void OtherFiles::add(const fs::path& name) { ++counts_[name.extension().string()]; }

std::string OtherFiles::text() const {
  std::vector<std::string> texts;
  for (const auto& [extension, count] : counts_) {
    texts.push_back(
        fmt::format("{} {}", count, extension.empty() ? "without extension" : extension));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

bool lies_in(const fs::path& inner, const fs::path& outer) {
  std::error_code code;
  const fs::path in = fs::weakly_canonical(inner, code), out = fs::weakly_canonical(outer, code);
  const auto [rest, end] = std::mismatch(out.begin(), out.end(), in.begin(), in.end());
  return rest == out.end();
}

void require_different_folders(const fs::path& folder, const std::vector<std::string>& names,
                               std::string_view where) {
  std::map<fs::path, std::string> places;
  for (const std::string& name : names) {
    std::error_code code;
    const fs::path place = fs::canonical(folder / name, code);
    if (code) continue;
    const auto [other, is_new] = places.try_emplace(place, name);
    require<DataError>(is_new, where,
                       "{}: {} and {} are the same folder, by a link: its files "
                       "would be in two classes",
                       folder.string(), other->second, name);
  }
}

std::vector<std::string> folders_in(const fs::path& folder, std::string_view where) {
  std::vector<std::string> names;
  std::error_code code, unknown;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (!is_passed_over(name) && entry->is_directory(unknown)) names.push_back(name);
  }
  require<DataError>(!code, where, "{}: cannot be listed: {}", folder.string(), code.message());
  std::sort(names.begin(), names.end());
  return names;
}

void walk_files(const fs::path& folder, const Visit& visit) { walk_below(folder, "", 0, visit); }

}  // namespace edt::data
