// The words of texts, as people keep them: a file of lines, a JSON list, or an HDF5 data set.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace edt::data {

class CaptionList {
 public:
  virtual ~CaptionList() = default;
  virtual std::uint64_t size() const = 0;
  // In order is quickest. DataError naming file and number for one that no data set can have.
  std::string read(std::uint64_t index);

 protected:
  explicit CaptionList(std::filesystem::path path) : path_(std::move(path)) {}
  virtual std::string text(std::uint64_t index) = 0;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Those of several HDF5 files behind each other; file f has captions begin[f] to begin[f + 1] - 1.
// DataError naming the file where it holds another number.
std::unique_ptr<CaptionList> open_captions(std::vector<std::filesystem::path> files,
                                           std::vector<std::uint64_t> begin);

// By what the file holds: texts in `captions` of an HDF5 file, a JSON list of texts (.json), else
// lines. Lists are in memory, lines and data sets are not. DataError naming the file for anything
// else.
std::unique_ptr<CaptionList> open_captions(const std::filesystem::path& path);

}  // namespace edt::data
