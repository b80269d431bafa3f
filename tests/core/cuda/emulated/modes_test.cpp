// What only the emulator can vary: the order of threads, and which epilogues cuBLASLt has.
#include <gtest/gtest.h>

#include "core/reference/reference_backend.h"
#include "tests/core/cuda/emulation/order.h"
#include "tests/core/cuda/emulation/runtime.h"
#include "tests/core/cuda/gpu.h"
#include "tests/core/ops/comparison.h"

namespace edt {
namespace {

using emulation::Order;

std::vector<CaseValues> run_in(Order order, const OpCase& op_case, DType dtype) {
  const auto backend = make_cuda_backend();
  emulation::set_order(order);
  auto values = run_case(op_case, *backend, dtype, 1);
  emulation::set_order(Order::kForward);
  return values;
}

// A read that no barrier separates from a write sees another value when the threads of a block run
// in the opposite order.
TEST(Emulated, ThreadsInAnyOrderGiveTheSameBits) {
  for (const OpCase& op_case : test_cases()) {
    if (op_case.float32_only) continue;
    if (!supports(op_case, *make_cuda_backend(), DType::kFloat32)) continue;
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      const auto forward = run_in(Order::kForward, op_case, dtype);
      const auto backward = run_in(Order::kBackward, op_case, dtype);
      ASSERT_EQ(forward.size(), backward.size());
      for (std::size_t i = 0; i < forward.size(); ++i) {
        EXPECT_EQ(forward[i].values, backward[i].values) << op_case.name() << forward[i].name;
      }
    }
  }
}

TEST(Emulated, ProductsWithoutFusedEpilogues) {
  const auto reference = make_reference_backend();
  OpCases cases;
  add_linear_cases(cases);
  add_mlp_cases(cases);
  for (const OpCase& op_case : cases) {
    if (!supports(op_case, *make_cuda_backend(), DType::kFloat32)) continue;
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      const auto backend = make_cuda_backend();
      emulation::set_fused_epilogues(false);
      const auto values = run_case(op_case, *backend, dtype, 2);
      emulation::set_fused_epilogues(true);
      EXPECT_EQ(
          difference(values, run_case(op_case, *reference, dtype, 2), tolerance_of(dtype, op_case)),
          "")
          << op_case.name();
    }
  }
}

// Rows of 8 bf16 whose parts do not begin at 16 bytes take the scalar kernels: a modulation tensor
// with an odd number of columns moves every second row.
TEST(Emulated, UnalignedModulation) {
  const auto reference = make_reference_backend();
  const OpCase op_case{"gate_residual", "odd modulation", [](Tape& tape, CaseInputs& in) {
                         return gate_residual(tape, in.leaf(tape, "x", {3, 5, 16}),
                                              in.leaf(tape, "modulation", {3, 37}), 1,
                                              in.leaf(tape, "h", {3, 5, 16}));
                       }};
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const auto backend = make_cuda_backend();
    EXPECT_EQ(difference(run_case(op_case, *backend, dtype, 1),
                         run_case(op_case, *reference, dtype, 1), tolerance_of(dtype, op_case)),
              "");
  }
}

TEST(EmulatedDeathTest, FindsABarrierThatSomeThreadsMiss) {
  EXPECT_DEATH(emulation::run_missed_barrier(), "wait at a barrier that the others do not reach");
}

TEST(Emulated, RefusesWideRows) {
  const auto backend = make_cuda_backend();
  EXPECT_THROW(run_case(modulated_norm_case({1, 2, 1030}, 2, {0, 1}), *backend, DType::kFloat32, 1),
               NotImplemented);
}

// What no event orders is done too early or too late: the emulator shows it.
TEST(Emulated, ALaneThatDoesNotWaitSeesOldMemory) {
  const auto device = make_cuda_backend();
  const auto lane = device->lane();
  const Block block(device->memory(), sizeof(float));
  const Tensor value{block.data(), {1}, DType::kFloat32};
  device->fill(value, 2);
  float seen = 0;
  lane->download(value, &seen);
  EXPECT_NE(seen, 2);
}

}  // namespace
}  // namespace edt
