// What tells a file or a folder of files from another: cheap enough to be taken at every start.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace edt::data {

struct Fingerprint {
  std::string path;         // absolute, without links
  std::uint64_t files = 0;  // 1 for a file
  std::uint64_t bytes = 0;  // of all files
  std::string modified;     // the latest change of a file, UTC, to the nanosecond
  std::uint64_t checksum = 0;
};

// Of a file: its beginning and blocks spread over it, all of it where it is small. Of a folder:
// names, sizes and times of all files below it that count, and the bytes of some of them. Reads at
// most a few MiB. DataError where there is nothing.
using CountsAsInput = std::function<bool(const std::string& name)>;
Fingerprint fingerprint(const std::filesystem::path& path, const CountsAsInput& counts);

// DataError, said by `where`, where two of the files hold the same bytes, as a copy under another
// name does ("train (1).tar"): each sample in them would be two. Looks at files of one size alone,
// as closely as fingerprint().
void require_no_copies(const std::vector<std::filesystem::path>& files, std::string_view where);

// Names of files that can hold arrays or labels: .npy, .npz, .safetensors, .h5, .hdf5, .json.
bool may_hold_arrays(const std::string& name);

}  // namespace edt::data
