// A change of a file in place that is done whole or not at all, also when the program or the
// machine stops in the midst of it: what will be written is first written down beside the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

namespace edt {

struct FileChange {
  std::uint64_t old_size = 0, new_size = 0;
  std::map<std::uint64_t, std::vector<std::byte>> pieces;  // by offset; they do not overlap
};

// Writes the change to `path` durably. SystemError where it cannot; then nothing is changed, or the
// change is written down and finish_change() completes it.
void change_file(const std::filesystem::path& path, const FileChange& change);

// Completes a change that was interrupted; false: there was none. DataError where the file is
// another one than it was.
bool finish_change(const std::filesystem::path& path);

// Where it is written down: ".NAME.change".
std::filesystem::path change_path(const std::filesystem::path& path);

}  // namespace edt
