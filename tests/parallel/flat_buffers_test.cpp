#include "parallel/flat_buffers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace edt {
namespace {

class FlatBuffersTest : public ::testing::Test {
 protected:
  Parameter weight_{.name = "a.weight", .shape = {3, 5}};
  Parameter bias_{.name = "b.bias", .shape = {20}};
  std::vector<Parameter*> parameters_{&weight_, &bias_};
  FlatLayout layout_ = FlatLayout::of(parameters_, 64);
};

TEST_F(FlatBuffersTest, Float32KernelsReadTheMaster) {
  const FlatBuffers buffers(host_memory(), layout_, layout_.whole(), {});
  buffers.bind(parameters_);
  EXPECT_EQ(weight_.value.data, buffers.master().data());
  EXPECT_EQ(bias_.value.as<float>(), buffers.master().data() + 64);
  EXPECT_EQ(bias_.grad.as<float>(), buffers.gradient().data() + 64);
  EXPECT_EQ(bias_.value.shape, bias_.shape);
  EXPECT_THAT(buffers.master(), ::testing::Each(0.f));
  EXPECT_TRUE(buffers.compute_bf16().empty());
}

TEST_F(FlatBuffersTest, Bf16KernelsReadARoundedCopy) {
  const FlatBuffers buffers(host_memory(), layout_, layout_.whole(), {.compute = DType::kBFloat16});
  buffers.bind(parameters_);
  ASSERT_EQ(bias_.value.dtype, DType::kBFloat16);
  buffers.master()[64] = 1.00001f;
  buffers.refresh_compute();
  EXPECT_EQ(static_cast<float>(bias_.value.as<bfloat16>()[0]), 1.0f);
  EXPECT_EQ(bias_.grad.dtype, DType::kFloat32);
}

TEST_F(FlatBuffersTest, AShardRefreshesItsOwnPlaces) {
  const FlatShard second = layout_.shard(layout_.buckets(1 << 20), 1, 2);
  const FlatBuffers buffers(host_memory(), layout_, second, {.states = {"m"}});
  ASSERT_EQ(buffers.master().size(), 64u);
  std::iota(buffers.master().begin(), buffers.master().end(), 1.f);
  buffers.bind(parameters_);
  buffers.refresh_compute();
  EXPECT_EQ(bias_.value.as<float>()[2], 3.f);
  EXPECT_EQ(weight_.value.as<float>()[2], 0.f);
}

TEST_F(FlatBuffersTest, GradientsCanPointElsewhere) {
  const FlatBuffers buffers(host_memory(), layout_, layout_.whole(), {});
  std::vector<float> other(static_cast<std::size_t>(layout_.size()));
  buffers.bind_gradients(parameters_, other);
  EXPECT_EQ(bias_.grad.as<float>(), other.data() + 64);
}

TEST_F(FlatBuffersTest, AccountsForEveryByte) {
  const FlatBuffers buffers(host_memory(), layout_, layout_.whole(),
                            {.compute = DType::kBFloat16, .states = {"m", "v"}});
  std::vector<std::size_t> bytes;
  for (const MemoryUse& use : buffers.bytes_by_category()) bytes.push_back(use.bytes);
  EXPECT_THAT(bytes, ::testing::ElementsAre(512, 256, 512, 1024, 512));
}

}  // namespace
}  // namespace edt
