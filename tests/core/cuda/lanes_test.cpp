// Lanes of a GPU and the events that order them, and the operations that ZeRO asks of a device.
#include <gtest/gtest.h>

#include "core/random/stream.h"
#include "core/reference/reference_backend.h"
#include "tests/core/cuda/gpu.h"

namespace edt {
namespace {

constexpr std::int64_t kLaneSize = 1021;

Tensor floats(const Block& block) { return {block.data(), {kLaneSize}, DType::kFloat32}; }
Block block_of(Device& device) { return {device.memory(), kLaneSize * sizeof(float)}; }

std::vector<float> values_of(Device& device, const Tensor& tensor) {
  std::vector<float> host(static_cast<std::size_t>(tensor.elements()));
  device.download(tensor, host.data());
  return host;
}

TEST(OpsLanes, ALaneWaitsForTheEventsItIsGiven) {
  EDT_NEEDS_GPU();
  const auto device = make_cuda_backend();
  const auto lane = device->lane();
  ASSERT_NE(lane, nullptr);
  const Block a = block_of(*device), b = block_of(*device);
  device->fill(floats(a), 2);
  lane->wait(device->record());
  lane->copy(floats(a), floats(b));
  device->wait(lane->record());
  device->add_into(floats(a), floats(b));
  device->fill(floats(a), 0);
  EXPECT_EQ(values_of(*device, floats(b)), std::vector<float>(kLaneSize, 4));
}

TEST(OpsMemory, WhatIsTakenIsNotFree) {
  EDT_NEEDS_GPU();
  const auto device = make_cuda_backend();
  const auto before = device->memory().free_on_device();
  ASSERT_TRUE(before.has_value());
  EXPECT_EQ(before->device, "GPU " + cuda_device_places().front());
  constexpr std::size_t kTaken = std::size_t{64} << 20;
  const Block block(device->memory(), kTaken);
  EXPECT_LE(device->memory().free_on_device()->bytes, before->bytes - kTaken);
}

// An event belongs to the moment it was recorded, however often its like is recorded later.
TEST(OpsLanes, EventsAreReusedOnlyWhenNobodyHoldsThem) {
  EDT_NEEDS_GPU();
  const auto device = make_cuda_backend();
  const auto lane = device->lane();
  const Block a = block_of(*device);
  for (int i = 0; i < 20; ++i) {
    device->fill(floats(a), i);
    const Event filled = device->record();
    device->record();
    lane->wait(filled);
    lane->add_into(floats(a), floats(a));
    device->wait(lane->record());
    EXPECT_EQ(values_of(*device, floats(a)), std::vector<float>(kLaneSize, 2.f * float(i)));
  }
}

TEST(OpsLanes, FoldHasTheBitsOfTheHost) {
  EDT_NEEDS_GPU();
  const auto device = make_cuda_backend();
  const auto host = make_reference_backend();
  for (const std::size_t levels : {1u, 2u, 5u}) {
    std::vector<Block> on_device, on_host;
    for (std::uint32_t i = 0; i <= levels; ++i) {
      on_device.push_back(block_of(*device));
      on_host.push_back(block_of(*host));
      random::fill_normal({.seed = 3, .purpose = random::Purpose::kBenchmark, .sample = i},
                          floats(on_host[i]).span<float>());
      device->upload(on_host[i].data(), floats(on_device[i]));
    }
    const auto fold = [&](Device& where, const std::vector<Block>& blocks) {
      std::vector<Tensor> sums;
      for (std::size_t i = 0; i < levels; ++i) sums.push_back(floats(blocks[i]));
      where.fold(sums, floats(blocks[levels]));
      return values_of(where, sums[0]);
    };
    EXPECT_EQ(fold(*device, on_device), fold(*host, on_host)) << levels;
  }
}

}  // namespace
}  // namespace edt
