// Files that try out what can be done in a directory.
#pragma once

#include <filesystem>

namespace edt {

// An empty file of a new name, for as long as it is needed: it goes in the end, and, in programs
// that ask for that (core/storage/partial_file.h), when a signal ends them.
class ProbeFile {
 public:
  explicit ProbeFile(const std::filesystem::path& directory);
  ~ProbeFile();
  ProbeFile(const ProbeFile&) = delete;
  ProbeFile& operator=(const ProbeFile&) = delete;

  // Open for reading and writing; -1 where no file could be made, for the reason error().
  int descriptor() const { return descriptor_; }
  int error() const { return error_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1, error_ = 0, slot_ = -1;
};

// Removes those of programs that were killed: of this user, and an hour old by the clock of the
// file system.
void remove_old_probes(const std::filesystem::path& directory);

}  // namespace edt
