// The words of texts, as people keep them: a file of lines, a JSON list, or an HDF5 data set.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace edt::data {

class CaptionList {
 public:
  virtual ~CaptionList() = default;
  virtual std::uint64_t size() const = 0;
  // In order is quickest.
  virtual std::string read(std::uint64_t index) = 0;
};

// By what the file holds: texts in `captions` of an HDF5 file, a JSON list of texts (.json), else
// lines. Lists are in memory, lines and data sets are not. DataError naming the file for anything
// else.
std::unique_ptr<CaptionList> open_captions(const std::filesystem::path& path);

}  // namespace edt::data
