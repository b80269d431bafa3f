#include "tests/core/ops/gate_norm_bits.h"

#include "tests/core/cuda/gpu.h"

namespace edt {
namespace {

TEST(OpsGateNorm, HasTheBitsOfTwoOps) {
  EDT_NEEDS_GPU();
  const auto cuda = make_cuda_backend();
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    test::expect_bits_of_two_ops(*cuda, dtype);
  }
}

}  // namespace
}  // namespace edt
