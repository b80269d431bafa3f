#include <memory>

#include "core/cpu/cpu_backend.h"
#include "tests/core/ops/gate_norm_bits.h"

namespace edt {
namespace {

TEST(GateNorm, HasTheBitsOfTwoOps) {
  const auto cpu = make_cpu_backend();
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    test::expect_bits_of_two_ops(*cpu, dtype);
  }
}

}  // namespace
}  // namespace edt
