// A file that only grows: whole records appended by single writes, every failure reported.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace edt {

class AppendFile {
 public:
  // Keeps the first `keep_bytes` bytes of an existing file, as a copy that takes its name: what a
  // process that was replaced still has open is no longer this file. `may_write` throws where
  // another process has taken over: it is asked before a file that has the name now is opened;
  // where nobody can be asked, such a file is taken for another process's. Throws SystemError.
  explicit AppendFile(std::filesystem::path path, std::uint64_t keep_bytes = 0,
                      std::function<void()> may_write = {});
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // Visible to readers when it returns. A file that somebody has removed or moved away is begun
  // anew, one that another file has replaced (an editor's) is added to, with a warning. Throws
  // SystemError, e.g. on a full disk.
  void append(std::string_view bytes);
  // On the disk when it returns.
  void sync();

  const std::filesystem::path& path() const { return path_; }

 private:
  enum class Fate { kThere, kRemoved, kMoved, kReplaced };  // of what has the name

  void open();
  Fate fate() const;
  void follow_the_name();

  std::filesystem::path path_;
  std::function<void()> may_write_;
  int file_ = -1;
  bool is_followed_ = false;
};

}  // namespace edt
