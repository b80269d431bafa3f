// .npy files for tests of the importer.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace edt::data::test {

// Its bytes; `values` are in the order that `fortran` says. Types that begin with '>' are swapped.
template <class T>
std::string npy_text(const std::string& type, const std::vector<std::uint64_t>& shape,
                     const std::vector<T>& values, bool fortran = false) {
  const std::string dims = shape.empty() ? "" : fmt::format("{},", fmt::join(shape, ", "));
  const std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': ({}), }}\n", type,
                  fortran ? "True" : "False", dims);
  std::string data(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  for (std::size_t i = 0; type[0] == '>' && i < data.size(); i += sizeof(T)) {
    std::reverse(data.begin() + static_cast<std::ptrdiff_t>(i),
                 data.begin() + static_cast<std::ptrdiff_t>(i + sizeof(T)));
  }
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size() & 0xff) +
         static_cast<char>(header.size() >> 8) + header + data;
}

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

template <class T>
void write_npy(const std::filesystem::path& path, const std::string& type,
               const std::vector<std::uint64_t>& shape, const std::vector<T>& values,
               bool fortran = false) {
  write_bytes(path, npy_text(type, shape, values, fortran));
}

}  // namespace edt::data::test
