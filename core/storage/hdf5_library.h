// The HDF5 library: its version, and whether it can lock files in a directory.
#pragma once

#include <filesystem>
#include <string>

namespace edt {

// "1.10.8": the library that is loaded.
std::string hdf5_version();

// Creates, locks and removes a small file in `directory`, as HDF5 does by default. Empty when that
// works, else what the operating system said: some parallel file systems refuse locks.
std::string hdf5_locking_problem(const std::filesystem::path& directory);

}  // namespace edt
