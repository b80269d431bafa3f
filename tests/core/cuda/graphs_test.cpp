// Graphs of a GPU: what is captured, in which order it is replayed, and what a capture refuses.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "tests/core/cuda/gpu.h"
#include "tests/core/storage/expect_error.h"

namespace edt {
namespace {

constexpr std::int64_t kSize = 1000;

class OpsGraphs : public testing::Test {
 protected:
  void SetUp() override {
    EDT_NEEDS_GPU();
    gpu_ = make_cuda_backend();
    for (Block& block : blocks_) block = Block(gpu_->memory(), kSize * sizeof(float));
  }

  Tensor at(std::size_t i) const { return {blocks_[i].data(), {kSize}, DType::kFloat32}; }
  std::vector<float> values(std::size_t i) {
    std::vector<float> host(kSize);
    gpu_->download(at(i), host.data());
    return host;
  }
  // A product whose operands are put side by side in scratch memory.
  void concatenate(std::int64_t rows) {
    const auto part = [&](std::size_t i, std::int64_t columns) {
      return Tensor{blocks_[i].data(), {rows, columns}, DType::kFloat32};
    };
    const Tensor weight{blocks_[1].data(), {8, 16}, DType::kFloat32};
    gpu_->concat_linear_forward(part(0, 8), part(0, 8), weight, {}, part(2, 8));
  }

  std::unique_ptr<Backend> gpu_;
  std::array<Block, 3> blocks_;
};

std::vector<float> all(float value) { return std::vector<float>(kSize, value); }

// Numbers are those of the capture, memory is as it is at the replay.
TEST_F(OpsGraphs, AReplayDoesTheSameWorkOnOtherValues) {
  float number = 2;
  gpu_->fill(at(0), 1);
  const auto graph = gpu_->capture([&] {
    gpu_->fill(at(1), number);
    gpu_->add_into(at(0), at(1));
  });
  ASSERT_NE(graph, nullptr);
  EXPECT_EQ(values(1), all(3));  // capturing has done the work as well
  number = 5;
  gpu_->fill(at(0), 10);
  EXPECT_EQ(values(1), all(3));
  graph->replay();
  EXPECT_EQ(values(1), all(12));
}

// A step of the host comes again at its place, and may wait for the device and take memory.
TEST_F(OpsGraphs, StepsOfTheHostCutTheWork) {
  std::vector<float> seen;
  gpu_->fill(at(0), 1);
  const auto graph = gpu_->capture([&] {
    gpu_->add_into(at(0), at(0));
    gpu_->host_step([&] {
      const Block taken(gpu_->memory(), 64);
      seen.push_back(values(0)[7]);
      gpu_->host_step([&] { gpu_->fill(at(1), seen.back()); });
    });
    gpu_->add_into(at(1), at(0));
  });
  graph->replay();
  EXPECT_THAT(seen, testing::ElementsAre(2, 8));
  EXPECT_EQ(values(0), all(16));
  gpu_->host_step([&] { seen.clear(); });
  EXPECT_TRUE(seen.empty());
}

TEST_F(OpsGraphs, ACaptureRefusesMemoryAndGoesOnWithout) {
  const auto take = [&] { Block(gpu_->memory(), 64); };
  try {
    gpu_->capture(take);
    FAIL() << "memory was taken";
  } catch (const CudaError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("allocating GPU memory within a CUDA graph"));
  }
  gpu_->fill(at(0), 4);
  EXPECT_EQ(values(0), all(4));
  const auto graph = gpu_->capture([&] { gpu_->fill(at(0), 6); });
  EXPECT_EQ(values(0), all(6));
}

// It is kept until the capture has ended, so what the graph would have done with it does no harm.
TEST_F(OpsGraphs, ACaptureRefusesToGiveMemoryBack) {
  Block block(gpu_->memory(), 64), pinned(gpu_->staging(), 64);
  EXPECT_ERROR(gpu_->capture([&] { block = {}; }), CudaError,
               "giving GPU memory back within a CUDA graph");
  EXPECT_ERROR(gpu_->capture([&] { pinned = {}; }), CudaError,
               "giving pinned host memory back within a CUDA graph");
  EXPECT_ERROR(gpu_->capture([&] { gpu_->memory().free_on_device(); }), CudaError,
               "asking what GPU memory is free within a CUDA graph");
  gpu_->fill(at(0), 4);
  EXPECT_EQ(values(0), all(4));
}

TEST_F(OpsGraphs, ACaptureRefusesToWait) {
  const auto expect_refused = [&](const char* what, const std::function<void()>& call) {
    EXPECT_ERROR(gpu_->capture(call), CudaError, what, "within a CUDA graph");
  };
  const Event event = gpu_->record();
  expect_refused("waiting for a stream", [&] { gpu_->synchronize(); });
  expect_refused("waiting for an event", [&] { gpu_->finish(event); });
  expect_refused("a download", [&] { values(0); });
  expect_refused("an upload", [&] { gpu_->upload(all(1).data(), at(0)); });
  gpu_->synchronize();
}

// Of another stream that is not captured: the graph could not know the event of the next time.
TEST_F(OpsGraphs, ACaptureRefusesEventsFromOutside) {
  const auto stream = gpu_->new_stream();
  stream->fill(at(0), 1);
  const Event filled = stream->record();
  EXPECT_THROW(gpu_->capture([&] { gpu_->wait(filled); }), CudaError);
}

// What moves scratch memory makes graphs invalid.
TEST_F(OpsGraphs, AreOfTheScratchMemoryOfTheirTime) {
  concatenate(8);
  const auto graph = gpu_->capture([&] { concatenate(8); });
  EXPECT_TRUE(graph->valid());
  concatenate(4);
  EXPECT_TRUE(graph->valid());
  concatenate(64);
  EXPECT_FALSE(graph->valid());
}

// Scratch memory that would have to grow stays, and with it the graphs that use it.
TEST_F(OpsGraphs, ACaptureThatNeedsMoreScratchMemoryNamesIt) {
  concatenate(8);
  const auto graph = gpu_->capture([&] { concatenate(8); });
  EXPECT_ERROR(gpu_->capture([&] { concatenate(64); }), CudaError, "scratch memory for",
               "grows from", "within a CUDA graph");
  ASSERT_TRUE(graph->valid());
  graph->replay();
  gpu_->synchronize();
}

}  // namespace
}  // namespace edt
