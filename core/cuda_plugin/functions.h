// What libedt_cuda.so offers: the functions of core/cuda/cuda_backend.h.
#pragma once

#include "core/cuda/cuda_backend.h"

namespace edt {

struct CudaFunctions {
  decltype(&cuda_device_count) device_count;
  decltype(&cuda_device_places) device_places;
  decltype(&cuda_absence) absence;
  decltype(&cuda_gpu_type) gpu_type;
  decltype(&make_cuda_backend) make_backend;
  decltype(&gemm_calls) calls;
};

}  // namespace edt
