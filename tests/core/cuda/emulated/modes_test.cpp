// What only the emulator can vary: the order of threads, and which epilogues cuBLASLt has.
#include <cublasLt.h>
#include <gtest/gtest.h>

#include <thread>

#include "core/cuda/error.h"
#include "core/cuda/graph.h"
#include "core/cuda/on_stream.h"
#include "core/reference/reference_backend.h"
#include "tests/core/cuda/emulation/device_memory.h"
#include "tests/core/cuda/emulation/order.h"
#include "tests/core/cuda/emulation/runtime.h"
#include "tests/core/cuda/gpu.h"
#include "tests/core/ops/comparison.h"
#include "tests/core/storage/expect_error.h"

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
// in the opposite order, or when a warp runs ahead of the others.
TEST(Emulated, ThreadsInAnyOrderGiveTheSameBits) {
  for (const OpCase& op_case : test_cases()) {
    if (op_case.float32_only) continue;
    if (!supports(op_case, *make_cuda_backend(), DType::kFloat32)) continue;
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      const auto forward = run_in(Order::kForward, op_case, dtype);
      for (const Order order : {Order::kBackward, Order::kWarpsForward, Order::kWarpsBackward}) {
        const auto other = run_in(order, op_case, dtype);
        ASSERT_EQ(forward.size(), other.size());
        for (std::size_t i = 0; i < forward.size(); ++i) {
          EXPECT_EQ(forward[i].values, other[i].values)
              << op_case.name() << forward[i].name << ", order " << static_cast<int>(order);
        }
      }
    }
  }
}

// Products with fused epilogues, while `change` changes the library.
void check_gemms(void (*change)(bool), bool now) {
  const auto reference = make_reference_backend();
  OpCases cases;
  add_linear_cases(cases);
  add_mlp_cases(cases);
  for (const OpCase& op_case : cases) {
    if (!supports(op_case, *make_cuda_backend(), DType::kFloat32)) continue;
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      const auto backend = make_cuda_backend();
      change(now);
      const auto values = run_case(op_case, *backend, dtype, 2);
      change(!now);
      EXPECT_EQ(
          difference(values, run_case(op_case, *reference, dtype, 2), tolerance_of(dtype, op_case)),
          "")
          << op_case.name();
    }
  }
}

TEST(Emulated, ProductsWithoutFusedEpilogues) {
  check_gemms(emulation::set_fused_epilogues, false);
}

TEST(Emulated, ProductsWhoseEpiloguesAreRefusedWhenTheyRun) {
  check_gemms(emulation::set_refusal_of_epilogues, true);
}

// An epilogue is refused by whatever status the library comes upon: the kernels do it then. A plain
// product has no other way.
TEST(Emulated, AnyStatusButSuccessIsARefusalOfAnEpilogue) {
  emulation::set_status_of_refusals(CUBLAS_STATUS_INTERNAL_ERROR);
  check_gemms(emulation::set_fused_epilogues, false);
  emulation::set_status_of_refusals(CUBLAS_STATUS_ARCH_MISMATCH);
  check_gemms(emulation::set_refusal_of_epilogues, true);
  emulation::set_suggestions({{.runs = false}});
  const auto backend = make_cuda_backend();
  const Block block(backend->memory(), 3 * 64 * sizeof(float));
  const auto tensor = [&](std::size_t i) {
    return Tensor{static_cast<float*>(block.data()) + 64 * i, {8, 8}, DType::kFloat32};
  };
  EXPECT_ERROR(backend->linear_forward(tensor(0), tensor(1), {}, {}, tensor(2)), CudaError,
               "product [8, 8] x [8, 8]");
  emulation::set_suggestions();
  emulation::set_status_of_refusals(0);
}

// What a refusal leaves behind is not the error of the next kernel.
TEST(Emulated, ARefusalLeavesNoErrorBehind) {
  emulation::set_error_of_refusals(cudaErrorInvalidConfiguration);
  check_gemms(emulation::set_fused_epilogues, false);
  check_gemms(emulation::set_refusal_of_epilogues, true);
  emulation::set_suggestions({{}, {.seconds = 1e-4, .runs = false}});
  GemmTuning tuning;
  const auto backend = make_cuda_backend({.tuning = &tuning});
  const OpCase op_case = linear_case({8, 16}, 16);
  EXPECT_NO_THROW(run_case(op_case, *backend, DType::kBFloat16, 1));
  emulation::set_suggestions();
  emulation::set_error_of_refusals(cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

// Nor is one that has been thrown; what broke the GPU's context says so again and again.
TEST(Emulated, AnErrorIsSaidOnceUnlessItStays) {
  const auto device = make_cuda_backend();
  const Block block(device->memory(), sizeof(float));
  const Tensor value{block.data(), {1}, DType::kFloat32};
  EXPECT_THROW(check_cuda(cudaSetDevice(7), "choosing the GPU"), CudaError);
  EXPECT_NO_THROW(device->fill(value, 1));
  emulation::set_broken_context(cudaErrorIllegalAddress);
  EXPECT_THROW(device->fill(value, 2), CudaError);
  EXPECT_THROW(device->fill(value, 3), CudaError);
  emulation::set_broken_context(cudaSuccess);
  EXPECT_NO_THROW(device->fill(value, 4));
}

// The emulated runtime refuses what it must not be asked while a thread captures; the backend's own
// guard comes before it.
TEST(Emulated, WaitsAreRefusedToAThreadThatCaptures) {
  const auto device = make_cuda_backend();
  const auto beside = device->new_stream();
  cudaEvent_t event = nullptr;
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  cudaEventRecord(event, stream_of(*beside));
  const auto expect_refused = [&](const std::function<cudaError_t()>& call) {
    StreamCapture capture(stream_of(*device));
    EXPECT_EQ(call(), cudaErrorStreamCaptureUnsupported);
    EXPECT_THROW(capture.take(), CudaError);
  };
  expect_refused([&] { return cudaStreamSynchronize(stream_of(*beside)); });
  expect_refused([&] { return cudaEventSynchronize(event); });
  expect_refused([] { return cudaFree(nullptr); });
  expect_refused([] { return cudaFreeHost(nullptr); });
  EXPECT_EQ(cudaEventSynchronize(event), cudaSuccess);
  cudaEventDestroy(event);
}

// Not in the midst of a capture, not by another error's way out of it, and not never.
TEST(Emulated, MemoryIsGivenBackWhenTheCaptureHasEnded) {
  const auto backend = make_cuda_backend();
  const auto free = [&] { return backend->memory().free_on_device()->bytes; };
  const std::size_t before = free();
  Block block(backend->memory(), 4096);
  EXPECT_THROW(backend->capture([&] { block = {}; }), CudaError);
  EXPECT_EQ(free(), before);
  block = Block(backend->memory(), 4096);
  const auto fail_otherwise = [&] {
    const Block local = std::move(block);
    fail<DataError>("test", "something else");
  };
  EXPECT_THROW(backend->capture(fail_otherwise), DataError);
  EXPECT_EQ(free(), before);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

// The library is asked before a capture or not at all.
TEST(Emulated, AProductThatIsNewWithinAGraphIsNamed) {
  const auto backend = make_cuda_backend();
  const Block block(backend->memory(), 3 * 64 * sizeof(float));
  const auto tensor = [&](std::size_t i) {
    return Tensor{static_cast<float*>(block.data()) + 64 * i, {8, 8}, DType::kFloat32};
  };
  const auto product = [&] { backend->linear_forward(tensor(0), tensor(1), {}, {}, tensor(2)); };
  EXPECT_ERROR(backend->capture(product), CudaError, "product [8, 8] x [8, 8]",
               "within a CUDA graph");
  product();
  EXPECT_NO_THROW(backend->capture(product));
}

TEST(Emulated, AGpuThatTheBuildHasNoCodeForIsNamed) {
  emulation::set_kernels_there(false);
  EXPECT_ERROR(make_cuda_backend(), CudaError, "compute capability 8.0", "this build has code for");
  emulation::set_kernels_there(true);
  EXPECT_NO_THROW(make_cuda_backend());
}

TEST(Emulated, WhatOverlapsGoesFirst) {
  const auto device = make_cuda_backend();
  const auto beside = device->new_stream();
  int usual = 0, first = 0;
  cudaStreamGetPriority(stream_of(*device), &usual);
  cudaStreamGetPriority(stream_of(*beside), &first);
  EXPECT_LT(first, usual);
}

// cuBLASLt is given no bias that it cannot read 16 bytes at a time.
TEST(Emulated, ABiasAtAnOddAddress) {
  constexpr std::int64_t kSize = 16;
  const auto backend = make_cuda_backend();
  const Block block(backend->memory(), 1024 * sizeof(float));
  auto* next = static_cast<float*>(block.data());
  const auto make = [&](const Shape& shape, double value) {
    const Tensor tensor{next, shape, DType::kFloat32};
    next += tensor.elements();
    backend->fill(tensor, value);
    return tensor;
  };
  const Tensor x = make({kSize, kSize}, 2), weight = make({kSize, kSize}, 3), y = make(x.shape, 0);
  ++next;
  const Tensor bias = make({kSize}, 5);
  backend->linear_forward(x, weight, bias, {}, y);
  std::vector<float> values(kSize * kSize);
  backend->download(y, values.data());
  EXPECT_EQ(values, std::vector<float>(kSize * kSize, 2 * 3 * kSize + 5));
}

// GPUs of compute capability 8.6 and 8.9 have room for some of the tensor-core kernels only.
TEST(Emulated, AttentionWithLessSharedMemory) {
  const auto reference = make_reference_backend();
  const OpCase op_case = attention_case({1, 256, 1, 52}, 0);
  emulation::set_most_shared_memory(emulation::kSmallerSharedMemory);
  const auto values = run_case(op_case, *make_cuda_backend(), DType::kBFloat16, 1);
  emulation::set_most_shared_memory(emulation::kA100SharedMemory);
  EXPECT_EQ(difference(values, run_case(op_case, *reference, DType::kBFloat16, 1),
                       tolerance_of(DType::kBFloat16, op_case)),
            "");
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

TEST(EmulatedDeathTest, FindsHostCodeThatTouchesTheMemoryOfTheGpu) {
  const auto touch = [] {
    emulation::protect_device_memory();
    const auto device = make_cuda_backend();
    const Block block(device->memory(), sizeof(float));
    const Tensor value{block.data(), {1}, DType::kFloat32};
    device->fill(value, 2);
    device->synchronize();
    value.as<float>()[0] = 1;
  };
  EXPECT_DEATH(touch(), "host code touches the memory of the GPU");
}

TEST(EmulatedDeathTest, FindsAThreadThatHasNotChosenItsGpu) {
  const auto call = [] {
    const auto device = make_cuda_backend();
    std::thread([&] { device->finish(device->record()); }).join();
    std::thread([&, event = device->record()] { device->finish(event); }).join();
  };
  EXPECT_DEATH(call(), "by a thread that has not chosen its GPU");
}

TEST(Emulated, RefusesWideRows) {
  const auto backend = make_cuda_backend();
  EXPECT_THROW(run_case(modulated_norm_case({1, 2, 1030}, 2, {0, 1}), *backend, DType::kFloat32, 1),
               NotImplemented);
}

// What no event orders is done too early or too late: the emulator shows it.
TEST(Emulated, AStreamThatDoesNotWaitSeesOldMemory) {
  const auto device = make_cuda_backend();
  const auto stream = device->new_stream();
  const Block block(device->memory(), sizeof(float));
  const Tensor value{block.data(), {1}, DType::kFloat32};
  device->fill(value, 2);
  float seen = 0;
  stream->download(value, &seen);
  EXPECT_NE(seen, 2);
}

}  // namespace
}  // namespace edt
