// Text files of tests.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace edt::test {

// Makes the directories above the file too.
inline void write_text(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

// "" where there is no file.
inline std::string read_text(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace edt::test
