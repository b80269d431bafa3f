// Status codes of CUDA and cuBLASLt become CudaError, with the operation that asked.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <string_view>

namespace edt {

// CUDA keeps the error of a call until it is asked for, and would say it at the next launch, under
// that one's name. This is for who has made something of a refusal. What broke the GPU's context
// stays all the same.
void forget_error();

// Throws unless the call succeeded. `what` names the operation.
void check_cuda(cudaError_t status, std::string_view what);
void check_cublas(cublasStatus_t status, std::string_view what);

}  // namespace edt
