// What files compiled by nvcc share with those of the host compiler. They include nothing of fmt,
// which nvcc cannot parse, so kernels take plain pointers and sizes.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "core/base/dtype.h"

namespace edt {

// Throws CudaError when the launch before it failed.
void check_launch(const char* kernel);

// Allows `kernel` more dynamic shared memory than the 48 KiB it has by default.
void raise_shared_memory(const void* kernel, int bytes, const char* name);

// Columns of a [B, K] tensor (core/ops/kernel.h), from its first element on.
struct ColumnView {
  void* data = nullptr;
  std::int64_t stride = 0;
};

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace edt
