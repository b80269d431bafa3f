// Several named arrays of numbers as one .npz.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace edt {

struct NpzArray {
  std::string name;  // without ".npy"
  std::vector<std::uint64_t> shape;
  std::variant<std::span<const float>, std::span<const std::int32_t>> values;  // in C order
};

// Complete or absent. Holds the arrays a second time while it writes. SystemError where it cannot.
void write_npz(const std::filesystem::path& path, std::span<const NpzArray> arrays);

}  // namespace edt
