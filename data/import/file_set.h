// Files of arrays in the order of their samples: in a folder, below one, or in a zip archive.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/import/array.h"

namespace edt {
class ZipReader;
}

namespace edt::data {

class FileSet {
 public:
  virtual ~FileSet() = default;
  virtual std::uint64_t size() const = 0;
  virtual std::string name(std::uint64_t i) const = 0;    // within the set: "00000/a.npy"
  virtual std::string origin(std::uint64_t i) const = 0;  // for messages: its whole path
  virtual std::unique_ptr<ArrayFile> open(std::uint64_t i) const = 0;
};

using Files = std::unique_ptr<FileSet>;

// True for names of files that can hold arrays: .npy, .npz, .safetensors, .h5, .hdf5.
bool holds_arrays(const std::filesystem::path& name);

Files one_file(std::filesystem::path path);
// These files below `folder`, in that order.
Files named_files(std::filesystem::path folder, std::vector<std::string> names);
// All that hold arrays directly in `folder`, in natural order; those whose names just count (0.npy,
// 1.npy, ...) are not kept as names, so that millions of them need no memory. DataError where there
// are none, or of several formats.
Files files_of_folder(const std::filesystem::path& folder);
// What `option` gives beside samples in the files `others` (nullptr: these lie otherwise): a file,
// or a folder of files that are named as those, or of others in natural order. `named_alike` says
// which. UsageError where there is nothing.
Files files_beside(const std::filesystem::path& path, const FileSet* others,
                   const std::string& option, bool* named_alike = nullptr);
// These .npy members of a zip archive.
Files files_of_zip(std::filesystem::path path, std::shared_ptr<const edt::ZipReader> archive,
                   std::vector<std::string> names);
// These data sets of an HDF5 file, each a sample.
Files files_of_hdf5(std::shared_ptr<const h5::File> file, std::vector<std::string> names);

// DataError naming the first pair that differs, unless both sets have the same names.
void require_pairs(const FileSet& a, const std::string& label_a, const FileSet& b,
                   const std::string& label_b);

}  // namespace edt::data
