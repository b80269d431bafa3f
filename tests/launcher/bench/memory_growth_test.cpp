#include "launcher/bench/memory_growth.h"

#include <gtest/gtest.h>

#include <vector>

namespace edt {
namespace {

// A GPU of 1000 bytes.
class SmallGpu final : public Memory {
 public:
  void* reserve(std::size_t bytes) override {
    free_ -= bytes;
    return nullptr;
  }
  void release(void*) noexcept override {}
  std::optional<FreeMemory> free_on_device() const override { return FreeMemory{"GPU", free_}; }

 private:
  std::size_t free_ = 1000;
};

TEST(MemoryGrowth, IsWhatADeviceHasLess) {
  SmallGpu gpu;
  gpu.reserve(100);
  const MemoryGrowth growth(gpu);
  EXPECT_EQ(growth.bytes(), 0U);
  gpu.reserve(300);
  EXPECT_EQ(growth.bytes(), 300U);
  EXPECT_EQ(growth.peak_bytes(), 300U);
}

TEST(MemoryGrowth, IsWhatTheHostHoldsMore) {
  constexpr std::size_t kBytes = std::size_t{64} << 20;
  const MemoryGrowth growth(host_memory());
  const std::vector<char> touched(kBytes, 1);
  EXPECT_GE(growth.bytes(), kBytes * 9 / 10);
  EXPECT_LE(growth.bytes(), kBytes * 12 / 10);
  EXPECT_GE(growth.peak_bytes(), growth.bytes());
  EXPECT_EQ(touched.back(), 1);
}

}  // namespace
}  // namespace edt
