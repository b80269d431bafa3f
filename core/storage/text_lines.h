// The lines of a text file, in order. Unlike a stream, which ends alike where a file ends and where
// a disk fails, it says so.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

namespace edt {

class TextLines {
 public:
  // DataError where `path` names nothing that may be read; as open_to_read().
  explicit TextLines(std::filesystem::path path);
  ~TextLines();
  TextLines(TextLines&&) = delete;

  // The next line, without its newline; false at the end. DiskError or SystemError where reading
  // fails.
  bool next(std::string& line);
  // Whether the last one that next() gave ended with a newline: else a writer may have been cut
  // off.
  bool ended() const { return ended_; }

  // Goes on from this byte.
  void go_to(std::uint64_t offset);

 private:
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  char* line_ = nullptr;  // of getline(3)
  std::size_t room_ = 0;
  bool ended_ = true;
};

}  // namespace edt
