// Files that are either complete or absent: written beside, synced, renamed. Failures are
// SystemErrors that name the path and the reason, a full disk among them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/storage/partial_file.h"

namespace edt {

// Where `path` is written before it is complete: ".<name>.partial" in the same directory.
std::filesystem::path partial_path(const std::filesystem::path& path);
// Behind a link, the file that it names, be it there or not: outputs are written through links.
// SystemError where that is a device or a pipe, or links lead nowhere.
std::filesystem::path final_path(const std::filesystem::path& path);

// A file that takes its name only in commit(). Without commit() nothing is left behind. Devices and
// pipes are refused, and behind a link the file that it names is replaced.
class DurableFile {
 public:
  explicit DurableFile(const std::filesystem::path& path);
  ~DurableFile();
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void commit();

  const std::filesystem::path& path() const { return file_.path(); }
  std::uint64_t written() const { return written_; }

 private:
  PartialFile file_;
  std::uint64_t written_ = 0;
  int descriptor_ = -1;
};

void write_text_atomically(const std::filesystem::path& path, std::string_view text);

// Whole small file as text; files beyond `limit` bytes are refused.
std::string read_text(const std::filesystem::path& path, std::uint64_t limit = 64u << 20);

// The same for files that others may have removed, or put something else in the place of: "" where
// no text can be read.
std::string text_if_there(const std::filesystem::path& path);

// Steps of the same protocol for files written by others, such as HDF5, and for directories.
void sync_file(const std::filesystem::path& path);
void sync_directory(const std::filesystem::path& directory);
// Renames and makes the new name durable. `path` is a file or a directory.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

// ".png" of "a/b.PNG".
std::string lower_case_extension(const std::filesystem::path& path);

std::uint64_t free_bytes(const std::filesystem::path& directory);
// Refuses at once what would fill the disk later.
void require_free_space(const std::filesystem::path& directory, std::uint64_t bytes,
                        std::string_view what);
// UsageError for a name of a format that is none of `extensions`, as ".h5 .hdf5": other programs go
// by names.
void require_name_of(std::string_view extensions, const std::filesystem::path& path,
                     std::string_view option);
// Refuses with a UsageError that names the option, before the work is done, a place where no file
// can be written after it. No path: nothing is asked for.
// `extensions`: require_name_of() is asked as well.
void require_writable(const std::filesystem::path& path, std::string_view option,
                      std::string_view extensions = {});
// The same for a directory, which need not exist yet: makes none.
void require_directory(const std::filesystem::path& path, std::string_view option);
void make_directories(const std::filesystem::path& directory);

// Throws SystemError "<action> <path>: <text of errno>".
[[noreturn]] void fail_errno(std::string_view action, const std::filesystem::path& path);

}  // namespace edt
