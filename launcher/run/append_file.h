// A file that only grows: whole records appended by single writes, every failure reported.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace edt {

class AppendFile {
 public:
  // Keeps the first `keep_bytes` bytes of an existing file, as a copy that takes its name: what a
  // process that was replaced still has open is no longer this file. Throws SystemError.
  explicit AppendFile(std::filesystem::path path, std::uint64_t keep_bytes = 0);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // Visible to readers when it returns. A file that somebody has removed is begun anew, with a
  // warning. Throws SystemError, e.g. on a full disk.
  void append(std::string_view bytes);
  // On the disk when it returns.
  void sync();

  const std::filesystem::path& path() const { return path_; }

 private:
  void open();
  void begin_anew_where_removed();

  std::filesystem::path path_;
  int file_ = -1;
};

}  // namespace edt
