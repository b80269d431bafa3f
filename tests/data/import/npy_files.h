// Writes .npy files for tests of the importer.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace edt::data::test {

template <class T>
void write_npy(const std::filesystem::path& path, const std::string& type,
               const std::vector<std::uint64_t>& shape, const std::vector<T>& values) {
  std::filesystem::create_directories(path.parent_path());
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({},), }}\n",
                                   type, fmt::join(shape, ", "));
  if (shape.empty())
    header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ()}}\n", type);
  std::ofstream file(path, std::ios::binary);
  file << std::string("\x93NUMPY\x01\x00", 8) << static_cast<char>(header.size() & 0xff)
       << static_cast<char>(header.size() >> 8) << header;
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(T)));
}

}  // namespace edt::data::test
