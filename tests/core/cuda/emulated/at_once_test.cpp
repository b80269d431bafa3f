// When several linear maps are one launch, and when they are launches of their own.
#include <gtest/gtest.h>

#include "tests/core/cuda/emulation/runtime.h"
#include "tests/core/cuda/gpu.h"
#include "tests/core/cuda/linear_maps.h"

namespace edt {
namespace {

using test::LinearMaps;
using Values = std::vector<std::vector<double>>;

constexpr std::int64_t kRows = 5, kInputs = 24, kOutputs = 16, kMaps = 3;

class AtOnce : public testing::TestWithParam<DType> {
 protected:
  // Restores what a test has taken from cuBLASLt.
  ~AtOnce() override {
    emulation::set_batches_by_single_algorithms(true);
    emulation::set_fused_epilogues(true);
  }

  Values singles() {
    for (const LinearMap& map : maps_.calls) {
      gpu_->linear_forward(maps_.x, map.weight, map.bias, {}, map.y);
    }
    Values values = maps_.results();
    maps_.forget_results();
    return values;
  }
  // Of linears_forward(), which gives the bits of single products.
  int launches() {
    const Values expected = singles();
    gpu_->linears_forward(maps_.x, maps_.calls);  // looks up algorithms
    maps_.forget_results();
    const int before = emulation::products_asked_for().calls;
    gpu_->linears_forward(maps_.x, maps_.calls);
    const int calls = emulation::products_asked_for().calls - before;
    EXPECT_EQ(maps_.results(), expected);
    return calls;
  }
  static Tensor moved(Tensor tensor, std::size_t bytes) {
    tensor.data = static_cast<std::byte*>(tensor.data) + bytes;
    return tensor;
  }

  std::unique_ptr<Backend> gpu_ = make_cuda_backend();
  LinearMaps maps_{*gpu_, GetParam(), kRows, kInputs, kOutputs, kMaps};
};

TEST_P(AtOnce, OneLaunchAtEqualDistances) { EXPECT_EQ(launches(), 1); }

TEST_P(AtOnce, OneLaunchWithoutBiases) {
  for (LinearMap& map : maps_.calls) map.bias = {};
  EXPECT_EQ(launches(), 1);
}

TEST_P(AtOnce, OneLaunchFarIntoTheSameMemory) {
  for (LinearMap& map : maps_.calls) map.weight = moved(map.weight, size_of(GetParam()));
  EXPECT_EQ(launches(), 1);  // all of them aligned as badly
}

TEST_P(AtOnce, LaunchesOfTheirOwnAtOtherDistances) {
  std::swap(maps_.calls[1], maps_.calls[2]);
  EXPECT_EQ(launches(), kMaps);
}

TEST_P(AtOnce, LaunchesOfTheirOwnWhereOnlyBiasesLieElsewhere) {
  std::swap(maps_.calls[1].bias, maps_.calls[2].bias);
  EXPECT_EQ(launches(), kMaps);
}

// Equal distances of an odd number of elements: the second weight is not aligned as the first.
TEST_P(AtOnce, LaunchesOfTheirOwnWhereAlignmentsDiffer) {
  for (std::size_t i = 0; i < maps_.calls.size(); ++i) {
    maps_.calls[i].weight = moved(maps_.calls[i].weight, i * size_of(GetParam()));
  }
  maps_.calls.pop_back();
  EXPECT_EQ(launches(), 2);
}

TEST_P(AtOnce, LaunchesOfTheirOwnWhereTheAlgorithmTakesNoBatch) {
  emulation::set_batches_by_single_algorithms(false);
  EXPECT_EQ(launches(), kMaps);
}

TEST_P(AtOnce, LaunchesOfTheirOwnWhereTheWorkspaceIsTooSmall) {
  emulation::set_batches_by_single_algorithms(true, std::size_t{11} << 20);  // 33 of 32 MiB
  EXPECT_EQ(launches(), kMaps);
}

TEST_P(AtOnce, LaunchesOfTheirOwnWhereNoBiasIsFused) {
  emulation::set_fused_epilogues(false);
  EXPECT_EQ(launches(), kMaps);
}

INSTANTIATE_TEST_SUITE_P(Types, AtOnce, testing::Values(DType::kFloat32, DType::kBFloat16),
                         [](const auto& one) { return std::string(name_of(one.param)); });

}  // namespace
}  // namespace edt
