#include "core/plugin/entry.h"
#include "core/cuda_plugin/functions.h"

namespace edt {
namespace {

constexpr CudaFunctions kFunctions{cuda_device_count, cuda_device_places, cuda_absence,
                                   cuda_gpu_type,     make_cuda_backend,  gemm_calls};

}  // namespace
}  // namespace edt

EDT_PLUGIN(edt::kFunctions)
