// One writer at a time for what lies in a directory.
#pragma once

#include <filesystem>

namespace edt {

// Held by this process as long as it lives, however that ends; leaves no file. UsageError where
// another one holds it. Where the file system has no locks, nobody is kept out.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::filesystem::path& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace edt
