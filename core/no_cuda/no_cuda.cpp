// What core/cuda offers, where the project was built without it.
#include "core/cuda/cuda_backend.h"

namespace edt {
namespace {

constexpr const char* kReason = "this edt was built without the CUDA backend";

[[noreturn]] void refuse(std::string_view what) {
  fail<NotImplemented>("cuda", "{}: {}", what, kReason);
}

}  // namespace

bool cuda_is_built() { return false; }

int cuda_device_count() { return 0; }

std::vector<std::string> cuda_device_places() { return {}; }

std::string cuda_absence() { return kReason; }

GpuType cuda_gpu_type(int) { refuse("GPU type"); }

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions&) { refuse("backend"); }

std::map<ProductKey, std::int64_t> product_calls(const Backend&) { refuse("product calls"); }

}  // namespace edt
