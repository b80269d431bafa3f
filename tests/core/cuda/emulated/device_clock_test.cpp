// What a GPU's own clock is asked for: the work, not what was asked for before it.
#include <gtest/gtest.h>

#include "core/ops/cases/case_inputs.h"
#include "tests/core/cuda/emulation/runtime.h"
#include "tests/core/cuda/gpu.h"

namespace edt {
namespace {

TEST(DeviceClock, CountsTheWorkAlone) {
  constexpr double kOne = 3e-3;
  emulation::set_suggestions({{.seconds = kOne}});
  {
    const auto gpu = make_cuda_backend();
    CaseInputs inputs(*gpu, DType::kFloat32);
    const Tensor x = inputs.tensor("x", {8, 24}, DType::kFloat32);
    const Tensor weight = inputs.tensor("weight", {16, 24}, DType::kFloat32);
    const Tensor y = inputs.output("y", {8, 16}, DType::kFloat32);
    const auto product = [&] { gpu->linear_forward(x, weight, {}, {}, y); };
    product();
    EXPECT_NEAR(gpu->seconds_of([&] {
      product();
      product();
    }),
                2 * kOne, 1e-8);
    EXPECT_NEAR(gpu->seconds_of([] {}), 0, 1e-8);
    const auto ceiling =
        gpu->matmul_ceiling({{.m = 8, .n = 16, .k = 24, .count = 5}}, DType::kFloat32);
    EXPECT_NEAR(ceiling->run(), 5 * kOne, 1e-8);
  }
  emulation::set_suggestions();
}

// As attention's on an odd number of tokens: the algorithm is that of the first matrix's alignment,
// and the emulated library ends the program where another has less.
TEST(DeviceClock, ACeilingsBatchesAreAsAlignedAsTheirFirstMatrix) {
  const auto gpu = make_cuda_backend();
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const auto ceiling = gpu->matmul_ceiling({{.batch = 2, .m = 3, .n = 5, .k = 7}}, dtype);
    EXPECT_GT(ceiling->run(), 0);
  }
}

}  // namespace
}  // namespace edt
