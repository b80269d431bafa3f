// What this program was built from and runs with.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace edt {

// ("edt", "0.2.0"), ("commit", ...), ("compiler", ...), ("oneDNN", ...), ("HDF5", ...), ...
std::vector<std::pair<std::string, std::string>> versions();

// One line each, for edt --version.
std::string version_text();

}  // namespace edt
