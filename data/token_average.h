// Features on a grid, averaged over squares of neighbours: those of 16 x 16 tokens become those of
// 8 x 8.
#pragma once

#include <cstdint>
#include <span>

namespace edt::data {

struct TokenAverage {
  std::uint64_t rows = 0, columns = 0;  // of tokens that are averaged
  std::uint64_t side = 1;               // tokens that become one, across and down
  std::uint64_t dims = 0;               // numbers of a token

  std::uint64_t elements_in() const { return rows * columns * dims; }
  std::uint64_t elements_out() const { return elements_in() / (side * side); }
  // [rows, columns, dims] becomes [rows / side, columns / side, dims]. Sums run row by row.
  void operator()(std::span<const float> in, std::span<float> out) const;
};

}  // namespace edt::data
