// The GPU backend: cuBLASLt for matrix products, own kernels for the rest. float32 and bf16.
// Where the project was built without CUDA these functions are core/no_cuda's.
#pragma once

#include <memory>
#include <string>

#include "core/ops/backend.h"
#include "core/optim/grad_norm.h"
#include "core/optim/optimizer.h"

namespace edt {

struct CudaOptions {
  int device = 0;     // index among the visible GPUs
  bool tf32 = false;  // float32 matrix products with 10-bit mantissas on the tensor cores
};

// True where the project was built with the CUDA backend.
bool cuda_is_built();

// Visible GPUs; 0 where there is none, no driver or no CUDA backend.
int cuda_device_count();

// Why cuda_device_count() is 0, in one line.
std::string cuda_absence();

// Throws CudaError when the GPU is not there, NotImplemented without the CUDA backend.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options = {});

// Updates shards in the memory of `backend`, a CUDA backend that outlives it, with the bits of the
// optimizer of make_optimizer() on the host.
std::unique_ptr<Optimizer> make_cuda_optimizer(const OptimizerConfig& config, Backend& backend);

// block_square_sums() of values in the memory of `backend`; ranges and sums are host memory. Waits.
void cuda_block_square_sums(Backend& backend, std::span<const float> values,
                            std::span<const ElementRange> left_out, std::span<double> sums);

}  // namespace edt
