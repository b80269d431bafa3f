// What may be meant by a path that is not there.
#pragma once

#include <filesystem>
#include <string>

namespace edt {

// Words to put behind "there is no such file": braces and wildcards that no shell has expanded, or
// the same name in another form of Unicode; empty where nothing can be said. A few looks at the
// file system, whatever the size of folders.
std::string missing_path_hint(const std::filesystem::path& path);

// The same for weights, which other programs also take from Hugging Face by OWNER/NAME.
std::string missing_weights_hint(const std::filesystem::path& path);

inline constexpr const char* kOtherForm = "; there is one of that name in another form of Unicode";

}  // namespace edt
