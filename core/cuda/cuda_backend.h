// The GPU backend: cuBLASLt for matrix products, own kernels for the rest. float32 and bf16.
// Programs have these functions from core/cuda_plugin, which loads the backend.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/cuda/tuned_gemms.h"
#include "core/ops/backend.h"

namespace edt {

struct CudaOptions {
  int device = 0;         // index among the visible GPUs
  bool tf32 = false;      // float32 matrix products with 10-bit mantissas on the tensor cores
  bool epilogues = true;  // products take along what cuBLASLt can fuse; else kernels do it
  // Kernels may be set up while those before them end; of the process, as the last backend says.
  bool programmatic_launch = false;
  TunedGemms gemms;              // what is not in it takes cuBLASLt's first suggestion
  GemmTuning* tuning = nullptr;  // or is timed: to choose algorithms, not to compute with
};

// True where the backend is there: linked, or its plugin has been loaded.
bool cuda_is_there();

// True where its plugin is installed and does not load: cuda_absence() says why.
bool cuda_is_broken();

// Visible GPUs; 0 where there is none, no driver or no backend.
int cuda_device_count();

// Of each visible GPU its place on the bus of this machine, the same from every process.
std::vector<std::string> cuda_device_places();

// Why cuda_device_count() is 0, in one line.
std::string cuda_absence();

// What algorithms of products on this GPU belong to.
GpuType cuda_gpu_type(int device);

// Throws CudaError when the GPU is not there, UsageError without the backend.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options = {});

// How often the backend was asked for each product. Those of a batch that stands for single
// products count as these.
std::map<GemmKey, std::int64_t> gemm_calls(const Backend& cuda_backend);

}  // namespace edt
