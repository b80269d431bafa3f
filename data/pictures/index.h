// Which pictures a data set is made of, in order: a table on disk, so that memory does not grow
// with their number.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/storage/durable_file.h"
#include "core/storage/input_file.h"

namespace edt::data {

struct PictureEntry {
  std::string name;          // below its folder, or within its archive
  std::uint32_t source = 0;  // which of the folders and archives
  std::int32_t label = 0;
  std::uint64_t offset = 0, bytes = 0;  // within an archive
};

// What all pictures have in common.
struct PictureSources {
  struct Source {
    std::filesystem::path path;
    bool is_archive = false;
    bool is_packed = false;  // is unpacked while it is read, and so in order
  };
  std::vector<Source> sources;
  std::vector<std::string> class_names;   // empty: labels came as numbers
  std::vector<std::int32_t> class_label;  // of entries whose label is an index into this; or empty
  std::int32_t largest_label = 0;
  std::uint64_t other_files = 0;  // that are no pictures
  std::string summary;            // what was found, for people
};

// A picture that is left out, and why.
struct BrokenPicture {
  std::uint64_t index = 0;
  std::string reason;
};

// Writes what was listed, then what is left of it. Nothing counts before finish().
class PictureIndexWriter {
 public:
  // `directory` is made; what it held is replaced.
  explicit PictureIndexWriter(std::filesystem::path directory);
  ~PictureIndexWriter();

  void add(const PictureEntry& entry);
  std::uint64_t size() const { return size_; }
  // All are listed: others may read the index (listed()), which is no finished one.
  void end_list(const PictureSources& sources);
  // Without those that are broken, in ascending order. `id`: of all that shaped it.
  void finish(const std::vector<BrokenPicture>& broken, const std::string& id);

 private:
  class Table;
  std::filesystem::path directory_;
  std::unique_ptr<Table> entries_, names_;
  std::uint64_t size_ = 0;
};

class PictureIndex {
 public:
  // Of the pictures that were listed; of the finished index, if there is one of this id.
  static PictureIndex listed(const std::filesystem::path& directory);
  static std::optional<PictureIndex> finished(const std::filesystem::path& directory,
                                              const std::string& id);

  std::uint64_t size() const { return size_; }
  const PictureSources& sources() const { return sources_; }
  // Safe in several threads.
  PictureEntry at(std::uint64_t index) const;
  // "folder/name", "archive.tar:name"
  std::string name_of(const PictureEntry& entry) const;
  // How many were left out.
  std::uint64_t left_out() const { return left_out_; }

 private:
  PictureIndex(const std::filesystem::path& directory, const char* table);

  InputFile entries_, names_;
  PictureSources sources_;
  std::uint64_t size_ = 0, left_out_ = 0;
};

}  // namespace edt::data
