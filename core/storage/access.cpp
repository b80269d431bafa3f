#include "core/storage/access.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

namespace edt {
namespace {

namespace fs = std::filesystem;

// Numbers stand for those that have no name here, as users of other machines.
std::string user_name(uid_t user) {
  const passwd* entry = getpwuid(user);
  return entry != nullptr ? entry->pw_name : fmt::format("{}", user);
}

std::string group_name(gid_t group) {
  const ::group* entry = getgrgid(group);
  return entry != nullptr ? entry->gr_name : fmt::format("{}", group);
}

// "drwxr-x---"
std::string mode_text(mode_t mode) {
  constexpr const char* kLetters = "rwxrwxrwx";
  std::string text(1, S_ISDIR(mode) ? 'd' : '-');
  for (int i = 0; i < 9; ++i) text += mode & (0400u >> i) ? kLetters[i] : '-';
  return text;
}

bool may(const fs::path& path, int what) {
  return faccessat(AT_FDCWD, path.c_str(), what, AT_EACCESS) == 0 || errno != EACCES;
}

std::string this_user() {
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(getgroups(0, nullptr), 0)));
  groups.resize(static_cast<std::size_t>(
      std::max(getgroups(static_cast<int>(groups.size()), groups.data()), 0)));
  if (groups.empty()) groups.push_back(getegid());
  std::vector<std::string> names;
  names.reserve(groups.size());
  for (const gid_t group : groups) names.push_back(group_name(group));
  return fmt::format("{} (groups {})", user_name(geteuid()), fmt::join(names, ", "));
}

fs::path in_the_way(const fs::path& path) {
  std::error_code ignored;
  const fs::path whole = fs::absolute(path, ignored);
  fs::path directory;
  for (const fs::path& part : whole.parent_path()) {
    directory /= part;
    if (!may(directory, X_OK)) return directory;
  }
  struct stat info {};
  return stat(whole.c_str(), &info) == 0 ? whole : directory;
}

// The first on the way to `path` that is no directory; empty: there is none.
fs::path missing_directory(const fs::path& path) {
  std::error_code ignored;
  fs::path directory;
  for (const fs::path& part : fs::absolute(path, ignored).parent_path()) {
    directory /= part;
    if (!fs::is_directory(directory, ignored)) return directory;
  }
  return {};
}

}  // namespace

std::string ownership_text(const fs::path& path) {
  const fs::path which = in_the_way(path);
  struct stat info {};
  if (stat(which.c_str(), &info) != 0) return "this is " + this_user();
  return fmt::format("{} is {} of {}:{}, this is {}", which.string(), mode_text(info.st_mode),
                     user_name(info.st_uid), group_name(info.st_gid), this_user());
}

std::string reading_problem(const fs::path& path) {
  std::error_code ignored;
  const bool can = may(path, R_OK) && (!fs::is_directory(path, ignored) || may(path, X_OK));
  return can ? "" : fmt::format("{} cannot be read: {}", path.string(), error_text(EACCES, path));
}

std::string error_text(int code, const fs::path& path) {
  const std::string text = std::generic_category().message(code);
  if (code == EMFILE) {
    return fmt::format("{}: {} at a time are allowed (ulimit -n)", text, sysconf(_SC_OPEN_MAX));
  }
  if (code == ENOENT || code == ENOTDIR) {
    const fs::path missing = missing_directory(path);
    return missing.empty() ? text
                           : fmt::format("{}: there is no directory {}", text, missing.string());
  }
  if (code != EACCES && code != EPERM) return text;
  return fmt::format("{}: {}", text, ownership_text(path));
}

bool is_disk_trouble(int code) {
  return code == ENOSPC || code == EDQUOT || code == EFBIG || code == EIO || code == ESTALE ||
         code == ENOTCONN;  // a file system in user space whose server is gone
}

void require_open_files(std::uint64_t count, const std::string& what) {
  constexpr std::uint64_t kOthers = 24;  // streams, logs, libraries, MPI's connections
  const long most = sysconf(_SC_OPEN_MAX);
  if (most < 0) return;  // no limit
  require<UsageError>(count + kOthers <= static_cast<std::uint64_t>(most), "file",
                      "{} open at a time, {} files are allowed: `ulimit -n {}` allows more, where "
                      "that is refused fewer files are needed",
                      what, most, count + kOthers);
}

}  // namespace edt
