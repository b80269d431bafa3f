// The lines of a file that others append to, replace or rotate: each look reads what came since.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace edt {

class FollowedFile {
 public:
  // Bytes behind a line that may be read (not used) without leaving memory.
  static constexpr std::size_t kPadding = 64;
  // Longer lines are dropped.
  static constexpr std::size_t kLongestLine = std::size_t{4} << 20;

  using OnLine = std::function<void(std::string_view line)>;

  explicit FollowedFile(std::filesystem::path path) : path_(std::move(path)) {}
  ~FollowedFile();
  FollowedFile(FollowedFile&& other) noexcept;
  FollowedFile(const FollowedFile&) = delete;
  FollowedFile& operator=(const FollowedFile&) = delete;

  // The first look begins with the last `bytes` of the file, at the start of a line.
  void begin_with_last(std::uint64_t bytes) { only_last_ = bytes; }

  // Calls `on_line` for every line completed since the last look; one without its newline waits.
  // When another file has taken the name, or the file has shrunk: what is left of the old one, then
  // `on_new_file`, then the new one from its start. A file that is absent has no lines. False when
  // nothing was new. Throws SystemError when it cannot be read.
  bool look(const OnLine& on_line, const std::function<void()>& on_new_file = {});

  const std::filesystem::path& path() const { return path_; }

 private:
  bool replaced() const;
  void open();
  void close();
  bool read_on(const OnLine& on_line);
  void take_lines(const OnLine& on_line);

  std::filesystem::path path_;
  int file_ = -1;  // kept open, so that its number is not given to another file
  std::uint64_t offset_ = 0, only_last_ = 0;
  std::vector<char> buffer_;
  std::size_t held_ = 0;   // bytes of an unfinished line at the start of the buffer
  bool dropping_ = false;  // until the next newline
};

}  // namespace edt
