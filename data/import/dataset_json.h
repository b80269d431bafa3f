// Folders below folders, or a zip archive of them, whose labels stand in a dataset.json.
#pragma once

#include "data/import/layout.h"

namespace edt::data {

// DataError where files and entries do not match: with the first name, and both numbers.
SampleFiles files_with_json(const ImportOptions& options);

}  // namespace edt::data
