// A directory that is in use, whatever becomes of its name meanwhile: somebody may remove it, give
// it another name, put another one in its place, or unmount its disk.
#pragma once

#include <sys/types.h>

#include <filesystem>

namespace edt {

class HeldDirectory {
 public:
  // Throws SystemError where there is none.
  explicit HeldDirectory(std::filesystem::path path);
  ~HeldDirectory();
  HeldDirectory(HeldDirectory&& other) noexcept;
  HeldDirectory& operator=(HeldDirectory&& other) noexcept;

  const std::filesystem::path& path() const { return path_; }
  // Whether its name still leads to it. Throws SystemError where that cannot be seen.
  bool has_its_name() const;
  // Whether its name leads to a directory on the same file system: to itself or to one that was
  // made since.
  bool is_replaced_alike() const;
  // Where it is now; empty: it was removed.
  std::filesystem::path present_name() const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  dev_t device_ = 0;
  ino_t number_ = 0;
};

}  // namespace edt
