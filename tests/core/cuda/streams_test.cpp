// Streams of a GPU and the events that order them, and the operations that ZeRO asks of a device.
#include <gtest/gtest.h>

#include "core/random/stream.h"
#include "core/reference/reference_backend.h"
#include "tests/core/cuda/gpu.h"

namespace edt {
namespace {

constexpr std::int64_t kValues = 1021;

Tensor floats(const Block& block) { return {block.data(), {kValues}, DType::kFloat32}; }
Block block_of(Device& device) { return {device.memory(), kValues * sizeof(float)}; }

std::vector<float> values_of(Device& device, const Tensor& tensor) {
  std::vector<float> host(static_cast<std::size_t>(tensor.elements()));
  device.download(tensor, host.data());
  return host;
}

TEST(OpsStreams, AStreamWaitsForTheEventsItIsGiven) {
  EDT_NEEDS_GPU();
  const auto device = make_cuda_backend();
  const auto stream = device->new_stream();
  ASSERT_NE(stream, nullptr);
  const Block a = block_of(*device), b = block_of(*device);
  device->fill(floats(a), 2);
  stream->wait(device->record());
  stream->copy(floats(a), floats(b));
  device->wait(stream->record());
  device->add_into(floats(a), floats(b));
  device->fill(floats(a), 0);
  EXPECT_EQ(values_of(*device, floats(b)), std::vector<float>(kValues, 4));
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
TEST(OpsStreams, EventsAreReusedOnlyWhenNobodyHoldsThem) {
  EDT_NEEDS_GPU();
  const auto device = make_cuda_backend();
  const auto stream = device->new_stream();
  const Block a = block_of(*device);
  for (int i = 0; i < 20; ++i) {
    device->fill(floats(a), i);
    const Event filled = device->record();
    device->record();
    stream->wait(filled);
    stream->add_into(floats(a), floats(a));
    device->wait(stream->record());
    EXPECT_EQ(values_of(*device, floats(a)), std::vector<float>(kValues, 2.f * float(i)));
  }
}

TEST(OpsStreams, FoldHasTheBitsOfTheHost) {
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
