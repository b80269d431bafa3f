// Status codes of CUDA and cuBLASLt become CudaError, with the operation that asked.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <string_view>

namespace edt {

// Throws unless the call succeeded. `what` names the operation.
void check_cuda(cudaError_t status, std::string_view what);
void check_cublas(cublasStatus_t status, std::string_view what);

}  // namespace edt
