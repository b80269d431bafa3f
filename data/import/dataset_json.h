// Folders below folders, or a zip archive or an HDF5 file of them, whose labels stand in a
// dataset.json.
#pragma once

#include "data/import/layout.h"

namespace edt::data {

// Whether that is what the file holds.
bool is_archive_with_json(const std::filesystem::path& path);

// DataError where files and entries do not match: with the first name, and both numbers.
SampleFiles files_with_json(const ImportOptions& options);

}  // namespace edt::data
