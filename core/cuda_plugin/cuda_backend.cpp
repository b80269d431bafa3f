// core/cuda/cuda_backend.h by libedt_cuda.so, which is loaded with the first question about GPUs.
#include "core/cuda/cuda_backend.h"

#include "core/cuda_plugin/functions.h"
#include "core/plugin/plugin.h"

namespace edt {
namespace {

const Plugin& plugin() {
  static const Plugin loaded = load_plugin("libedt_cuda.so");
  return loaded;
}

const CudaFunctions& functions() {
  require<UsageError>(plugin().functions != nullptr, "cuda", "{}", plugin().absence);
  return *static_cast<const CudaFunctions*>(plugin().functions);
}

}  // namespace

bool cuda_is_there() { return plugin().functions != nullptr; }

bool cuda_is_broken() { return plugin().installed && !cuda_is_there(); }

int cuda_device_count() { return cuda_is_there() ? functions().device_count() : 0; }

std::vector<std::string> cuda_device_places() {
  return cuda_is_there() ? functions().device_places() : std::vector<std::string>();
}

std::string cuda_absence() { return cuda_is_there() ? functions().absence() : plugin().absence; }

GpuType cuda_gpu_type(int device) { return functions().gpu_type(device); }

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
  return functions().make_backend(options);
}

std::map<GemmKey, std::int64_t> gemm_calls(const Backend& cuda_backend) {
  return functions().calls(cuda_backend);
}

}  // namespace edt
