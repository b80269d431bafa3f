// Whose a file is and who asks for it, in words: for messages about what is not permitted.
#pragma once

#include <filesystem>
#include <string>

namespace edt {

// Who stands in the way of using `path`: the first directory on the way that may not be searched,
// else the file itself, or, where that is none, the directory it would lie in:
// "/data/run is drwxr-xr-x of anna:vision, this is ben (groups staff, users)".
std::string ownership_text(const std::filesystem::path& path);

// Why this process may not read `path` (a directory: list and search it); empty where it may, and
// where there is no such file.
std::string reading_problem(const std::filesystem::path& path);

// The text of an errno, with ownership_text() where it is one of permissions.
std::string error_text(int code, const std::filesystem::path& path);

}  // namespace edt
