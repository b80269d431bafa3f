// Several linear maps in one launch: the bits of single launches. On a GPU this is what cuBLASLt
// does not promise, and what this backend relies on.
#include <gtest/gtest.h>

#include "core/ops/cases/case_inputs.h"
#include "tests/core/cuda/gpu.h"
#include "tests/core/cuda/linear_maps.h"

namespace edt {
namespace {

// Images, inputs, outputs, blocks: what the emulator can do quickly, and the stages of EDT-S,
// EDT-XL and DiT-XL at 128 images and two passes.
struct Size {
  std::int64_t rows, inputs, outputs, maps;
};
#ifdef EDT_REAL_GPU
constexpr Size kSizes[] = {{5, 24, 16, 3},         {256, 312, 6 * 312, 2},
                           {256, 312, 6 * 520, 4}, {256, 936, 6 * 936, 6},
                           {64, 936, 6 * 1248, 5}, {256, 1152, 6 * 1152, 8}};
#else
constexpr Size kSizes[] = {{5, 24, 16, 3}, {7, 13, 9, 4}, {3, 104, 64, 2}};
#endif

TEST(OpsAtOnce, HaveTheBitsOfSingleProducts) {
  EDT_NEEDS_GPU();
  for (const auto& [rows, inputs, outputs, count] : kSizes) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      SCOPED_TRACE(
          fmt::format("{} x [{}, {}] -> {} of {}", count, rows, inputs, outputs, name_of(dtype)));
      const auto gpu = make_cuda_backend();
      test::LinearMaps maps(*gpu, dtype, rows, inputs, outputs, count);
      gpu->linears_forward(maps.x, maps.calls);
      const auto at_once = maps.results();
      maps.forget_results();
      for (const LinearMap& map : maps.calls) {
        gpu->linear_forward(maps.x, map.weight, map.bias, {}, map.y);
      }
      EXPECT_EQ(at_once, maps.results());
    }
  }
}

}  // namespace
}  // namespace edt
