// A folder for as long as its owner lives, where this system keeps temporary files (TMPDIR). A
// signal that ends the program removes it too, if nothing but partial files is in it.
#pragma once

#include <filesystem>

namespace edt {

class ScratchFolder {
 public:
  ScratchFolder();  // SystemError where none can be made
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int slot_ = -1;
};

}  // namespace edt
