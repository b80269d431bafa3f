// edt bench ops times attention by warpgroups where there are kernels for it.
#include "launcher/commands/warpgroup_backend.h"

#include <gtest/gtest.h>

#include "core/ops/cases/case_timing.h"
#include "parallel/comm/self/self_communicator.h"
#include "tests/core/cuda/emulation/runtime.h"

namespace edt::test {
namespace {

class WarpgroupBackend : public testing::Test {
 protected:
  WarpgroupBackend() {
    emulation::set_compute_capability(9, 0);
    device_.kind = DeviceKind::kCuda;
    set_seconds(1e-3, 5e-3);
  }
  ~WarpgroupBackend() override {
    emulation::set_compute_capability(8, 0);
    set_seconds(0, 0);
  }

  static void set_seconds(double warps, double warpgroups) {
    for (const std::string pass : {"attention forward", "attention backward"}) {
      emulation::set_seconds_of_launches(pass, warps);
      emulation::set_seconds_of_launches(pass + " by warpgroups", warpgroups);
    }
  }
  std::unique_ptr<Backend> made(const OpCase& op_case, DType dtype = DType::kBFloat16) {
    return make_warpgroup_backend(device_, op_case, dtype, *world_);
  }

  DeviceOptions device_;
  const std::unique_ptr<Communicator> world_ = make_self_communicator();
  const OpCase both_ = attention_case({1, 64, 2, 52}), forward_ = attention_case({1, 64, 1, 72});
};

// Though they are slower. The sum of the table's gradients goes by the other kernel's name.
TEST_F(WarpgroupBackend, TakesThemEachWay) {
  const CaseTiming timing = time_case(both_, *made(both_), DType::kBFloat16, 0);
  EXPECT_NEAR(timing.forward_seconds, 5e-3, 1e-6);
  EXPECT_NEAR(timing.backward_seconds, 5e-3 + 1e-3, 1e-6);
}

TEST_F(WarpgroupBackend, TakesTheOneThatThereIs) {
  const CaseTiming timing = time_case(forward_, *made(forward_), DType::kBFloat16, 0);
  EXPECT_NEAR(timing.forward_seconds, 5e-3, 1e-6);
  EXPECT_NEAR(timing.backward_seconds, 1e-3 + 1e-3, 1e-6);
}

TEST_F(WarpgroupBackend, IsNotThereWhereItWouldBeTheSame) {
  EXPECT_EQ(made(both_, DType::kFloat32), nullptr);
  EXPECT_EQ(made(attention_case({1, 16, 2, 52})), nullptr);
  emulation::set_compute_capability(8, 0);
  EXPECT_EQ(made(both_), nullptr);
  device_.kind = DeviceKind::kCpu;
  EXPECT_EQ(made(both_), nullptr);
}

}  // namespace
}  // namespace edt::test
