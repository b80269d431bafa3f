// Files of formats that an import does not read: what they are, and how they are converted.
#pragma once

#include <filesystem>

#include "core/storage/file_kind.h"

namespace edt::data {

// DataError: what the file is, with the line of Python that converts it where there is one.
[[noreturn]] void refuse_foreign(const std::filesystem::path& path, FileKind kind);

// DataError where the file is an .npy of Python objects, as numpy.save writes of arrays and labels
// together: with the line of Python that converts all those of its folder (`of_folder`), or it
// alone.
void refuse_objects(const std::filesystem::path& npy, bool of_folder);

}  // namespace edt::data
