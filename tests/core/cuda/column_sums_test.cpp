// Column sums, whose bits do not depend on how many columns a thread reads at once.
#include <gtest/gtest.h>

#include "core/ops/cases/case_inputs.h"
#include "tests/core/cuda/gpu.h"

namespace edt {
namespace {

constexpr std::int64_t kRows = 70, kRowsOfASlice = 24;  // 3 slices

// In slices, and those in order.
std::vector<double> sums_in_slices(const std::vector<double>& x, std::int64_t columns) {
  std::vector<double> sums;
  for (std::int64_t c = 0; c < columns; ++c) {
    float sum = 0;
    for (std::int64_t begin = 0; begin < kRows; begin += kRowsOfASlice) {
      float part = 0;
      for (std::int64_t r = begin; r < std::min(begin + kRowsOfASlice, kRows); ++r) {
        part += static_cast<float>(x[static_cast<std::size_t>(r * columns + c)]);
      }
      sum += part;
    }
    sums.push_back(sum);
  }
  return sums;
}

TEST(OpsColumnSums, HaveOneOrder) {
  EDT_NEEDS_GPU();
  const auto gpu = make_cuda_backend();
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const std::int64_t columns : {13, 16, 104, 1040}) {
      for (const std::size_t first : {0, 1}) {  // the second begins at no vector
        const Block from(gpu->memory(), (kRows * columns + 1) * sizeof(float));
        const Block to(gpu->memory(), columns * sizeof(float));
        auto* const begin = static_cast<std::byte*>(from.data()) + first * size_of(dtype);
        const Tensor x{begin, {kRows, columns}, dtype};
        const Tensor sums{to.data(), {columns}, DType::kFloat32};
        write_values(*gpu, draw("x", x.elements()), x);
        gpu->add_bias_backward(x, {sums, false});
        EXPECT_EQ(read_values(*gpu, sums), sums_in_slices(read_values(*gpu, x), columns))
            << columns << " columns of " << name_of(dtype) << ", from " << first;
      }
    }
  }
}

}  // namespace
}  // namespace edt
