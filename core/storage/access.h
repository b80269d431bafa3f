// Why the operating system refuses a file, in words: whose it is and who asks for it, or that the
// disk is at its end.
#pragma once

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>

#include "core/base/error.h"

namespace edt {

// Who stands in the way of using `path`: the first directory on the way that may not be searched,
// else the file itself, or, where that is none, the directory it would lie in:
// "/data/run is drwxr-xr-x of anna:vision, this is ben (groups staff, users)".
std::string ownership_text(const std::filesystem::path& path);

// Why this process may not read `path` (a directory: list and search it); empty where it may, and
// where there is no such file.
std::string reading_problem(const std::filesystem::path& path);

// The text of an errno, with ownership_text() where it is one of permissions, and the first
// directory on the way that is not there where that is why.
std::string error_text(int code, const std::filesystem::path& path);

// The disk is full, fails or is out of reach: what is refused now may succeed later as it is.
class DiskError : public SystemError {
  using SystemError::SystemError;
};
bool is_disk_trouble(int code);

// Throws UsageError with `what`, which says whose they are, where `count` files cannot be open at a
// time beside what else a program has open (ulimit -n).
void require_open_files(std::uint64_t count, const std::string& what);

// Throws a DiskError where the errno says so, a UsageError where it is the limit of open files,
// else an E.
template <class E, class... Args>
[[noreturn]] void fail_for(int code, std::string_view where, fmt::format_string<Args...> format,
                           Args&&... args) {
  if (is_disk_trouble(code)) fail<DiskError>(where, format, std::forward<Args>(args)...);
  if (code == EMFILE) fail<UsageError>(where, format, std::forward<Args>(args)...);
  fail<E>(where, format, std::forward<Args>(args)...);
}

}  // namespace edt
