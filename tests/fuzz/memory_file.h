// An input as a file: in memory where the system has /dev/shm, so that many a second are possible.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

namespace edt::fuzz {

class MemoryFile {
 public:
  explicit MemoryFile(std::span<const std::uint8_t> bytes) {
    std::error_code code;
    const std::filesystem::path memory = "/dev/shm";
    const bool usable =
        std::filesystem::is_directory(memory, code) && access(memory.c_str(), W_OK) == 0;
    std::string name =
        ((usable ? memory : std::filesystem::temp_directory_path()) / "edt-fuzz-XXXXXX").string();
    const int descriptor = mkstemp(name.data());
    const ssize_t done = descriptor < 0 ? -1 : write(descriptor, bytes.data(), bytes.size());
    if (done != static_cast<ssize_t>(bytes.size())) std::abort();
    close(descriptor);
    path_ = name;
  }
  ~MemoryFile() { unlink(path_.c_str()); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string read_whole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace edt::fuzz
