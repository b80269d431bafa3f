// What edt bench sampling says of memory, beside what it says of products.
#include "launcher/bench/step_bench.h"

#include <gtest/gtest.h>

#include "core/cpu/cpu_backend.h"
#include "parallel/comm/self/self_communicator.h"

namespace edt::test {
namespace {

StepBenchResult sampled(DType dtype, bool int8 = false) {
  DitConfig model;
  model.latents.height = model.latents.width = 8;
  model.width = 32;
  model.heads = 2;
  model.depth = 3;
  StepBenchOptions options{.model = model, .micro_batch = 2, .dtype = dtype, .rounds = 2};
  options.weights_type.int8 = int8;
  options.weights_type.anywhere = true;
  const auto backend = make_cpu_backend();
  const auto ranks = make_self_communicator();
  return bench_sampler_step(options, *backend, *ranks);
}

// By hand: patches, timestep, three blocks of attention, MLP and adaLN, and the last layer.
TEST(SamplerStep, ReadsEachWeightOfAProductOnce) {
  const double d = 32, patch = 4 * 2 * 2;
  const double weights =
      patch * d + (256 * d + d * d) + 3 * (4 + 2 * 4 + 6) * d * d + (2 * d * d + d * 2 * patch);
  const StepBenchResult result = sampled(DType::kFloat32);
  EXPECT_EQ(result.weight_bytes, 4 * weights);
  EXPECT_GT(result.read_bytes_per_second, 1e8);
  EXPECT_LT(result.read_bytes_per_second, 1e13);
  EXPECT_GT(bandwidth_share(result), 0);
  EXPECT_EQ(sampled(DType::kBFloat16).weight_bytes, 2 * weights);
}

TEST(SamplerStep, SaysNothingOfWeightsInIntegers) {
  EXPECT_EQ(sampled(DType::kFloat32, true).weight_bytes, 0);
}

}  // namespace
}  // namespace edt::test
