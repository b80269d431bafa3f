// Opens files that others have made.
#pragma once

#include <filesystem>

namespace edt {

// A descriptor of what is there. DataError, as for any other bad input, where `path` names nothing
// that this process may read.
int open_to_read(const std::filesystem::path& path);

}  // namespace edt
