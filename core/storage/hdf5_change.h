// What a change of an HDF5 file would write, recorded in memory: the file itself stays as it is.
#pragma once

#include <filesystem>
#include <functional>

#include "core/storage/file_change.h"
#include "core/storage/hdf5.h"

namespace edt::h5 {

// `change` gets the file opened for writing; it may not keep it. DataError where another program
// has the file open, or where it is no HDF5.
FileChange record_change(const std::filesystem::path& path,
                         const std::function<void(File&)>& change);

}  // namespace edt::h5
