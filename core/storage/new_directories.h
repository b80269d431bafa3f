// Directories that are made for an output.
#pragma once

#include <filesystem>
#include <vector>

namespace edt {

// Where the output comes to nothing, those that were not there before go again, as far as they are
// empty.
class NewDirectories {
 public:
  // Looks which of the directories on the way to `directory` are missing; makes none.
  explicit NewDirectories(const std::filesystem::path& directory);
  ~NewDirectories();
  NewDirectories(const NewDirectories&) = delete;
  NewDirectories& operator=(const NewDirectories&) = delete;

  void keep() { missing_.clear(); }

 private:
  std::vector<std::filesystem::path> missing_;  // the innermost first
};

}  // namespace edt
