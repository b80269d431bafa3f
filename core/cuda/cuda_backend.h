// The GPU backend: cuBLASLt for matrix products, own kernels for the rest. float32 and bf16.
// Where the project was built without CUDA these functions are core/no_cuda's.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/cuda/tuned_products.h"
#include "core/ops/backend.h"

namespace edt {

struct CudaOptions {
  int device = 0;          // index among the visible GPUs
  bool tf32 = false;       // float32 matrix products with 10-bit mantissas on the tensor cores
  TunedProducts products;  // what is not in it takes cuBLASLt's first suggestion
  ProductTuning* tuning = nullptr;  // or is timed: to choose algorithms, not to compute with
};

// True where the project was built with the CUDA backend.
bool cuda_is_built();

// Visible GPUs; 0 where there is none, no driver or no CUDA backend.
int cuda_device_count();

// Of each visible GPU its place on the bus of this machine, the same from every process.
std::vector<std::string> cuda_device_places();

// Why cuda_device_count() is 0, in one line.
std::string cuda_absence();

// What algorithms of products on this GPU belong to.
GpuType cuda_gpu_type(int device);

// Throws CudaError when the GPU is not there, NotImplemented without the CUDA backend.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options = {});

// How often the backend was asked for each product. Those of a batch that stands for single
// products count as these.
std::map<ProductKey, std::int64_t> product_calls(const Backend& cuda_backend);

}  // namespace edt
