// Kernels that may begin before earlier ones have ended: who may ask for them, and what becomes of
// one that does not wait. That all others wait is seen wherever the emulation runs them.
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/cuda/cuda_backend.h"
#include "core/cuda/kernels/launch.h"
#include "tests/core/cuda/emulation/device_memory.h"
#include "tests/core/cuda/emulation/order.h"
#include "tests/core/cuda/emulation/runtime.h"
#include "tests/core/cuda/emulation/streams.h"
#include "tests/core/storage/expect_error.h"

namespace edt {
namespace {

TEST(EmulatedProgrammatic, IsOffUntilItIsAskedForAndOffAgain) {
  emulation::set_compute_capability(9, 0);
  static_cast<void>(make_cuda_backend());
  EXPECT_FALSE(programmatic_launches_allowed());
  static_cast<void>(make_cuda_backend({.programmatic_launch = true}));
  EXPECT_TRUE(programmatic_launches_allowed());
  static_cast<void>(make_cuda_backend());
  EXPECT_FALSE(programmatic_launches_allowed());
  emulation::set_compute_capability(8, 0);
}

TEST(EmulatedProgrammatic, NeedsAGpuThatHasIt) {
  EXPECT_ERROR(make_cuda_backend({.programmatic_launch = true}), UsageError,
               "compute capability 8.0", "9.0 is needed");
  EXPECT_FALSE(programmatic_launches_allowed());
}

// Whichever of the two is older.
TEST(EmulatedProgrammatic, NeedsACudaWhoseGraphsHaveIt) {
  emulation::set_compute_capability(9, 0);
  emulation::set_cuda_versions(12020, 13000);
  EXPECT_ERROR(make_cuda_backend({.programmatic_launch = true}), UsageError,
               "programmatic-launch is on", "runtime is 12.2", "driver's 13.0", "12.3 is needed");
  emulation::set_cuda_versions(12080, 12020);
  EXPECT_ERROR(make_cuda_backend({.programmatic_launch = true}), UsageError, "runtime is 12.8",
               "driver's 12.2", "12.3 is needed");
  EXPECT_FALSE(programmatic_launches_allowed());
  EXPECT_NO_THROW(make_cuda_backend());
  emulation::set_cuda_versions(12030, 12030);
  EXPECT_NO_THROW(make_cuda_backend({.programmatic_launch = true}));
  static_cast<void>(make_cuda_backend());
  emulation::set_cuda_versions(emulation::kCudaVersion, emulation::kCudaVersion);
  emulation::set_compute_capability(8, 0);
}

// As of a build for 8.0 alone, whose PTX the driver of a 9.0 translates.
TEST(EmulatedProgrammatic, NeedsKernelsThatWait) {
  emulation::set_compute_capability(9, 0);
  emulation::set_kernels_compiled_for(80);
  EXPECT_ERROR(make_cuda_backend({.programmatic_launch = true}), UsageError,
               "kernels are for compute capability 8.0", "EDT_CUDA_ARCHITECTURES");
  EXPECT_FALSE(programmatic_launches_allowed());
  EXPECT_NO_THROW(make_cuda_backend());
  emulation::set_kernels_compiled_for(0);
  emulation::set_compute_capability(8, 0);
}

TEST(EmulatedProgrammaticDeathTest, FindsAThreadThatDoesNotWait) {
  emulation::run_early_kernel(nullptr, true);
  EXPECT_DEATH(emulation::run_early_kernel(nullptr, false),
               "thread 3: a thread ended that has not waited for earlier kernels");
}

TEST(EmulatedProgrammaticDeathTest, FindsAThreadThatReadsBeforeItWaits) {
  const auto read = [](bool early) {
    emulation::protect_device_memory();
    const auto device = make_cuda_backend();
    const Block block(device->memory(), sizeof(int));
    const emulation::AtWork at_work;
    emulation::run_early_kernel(early ? static_cast<const int*>(block.data()) : nullptr, true);
    std::exit(0);
  };
  EXPECT_DEATH(read(true), "touches memory before it has waited");
  EXPECT_EXIT(read(false), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace edt
