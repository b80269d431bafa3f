#include "core/cuda/error.h"

#include "core/base/error.h"
#include "core/cuda/kernels/launch.h"

namespace edt {

void forget_error() { static_cast<void>(cudaGetLastError()); }

void check_cuda(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) return;
  forget_error();
  fail<CudaError>("cuda", "{}: {} ({})", what, cudaGetErrorString(status),
                  cudaGetErrorName(status));
}

void check_cublas(cublasStatus_t status, std::string_view what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  forget_error();
  fail<CudaError>("cuda", "{}: {}", what, cublasLtGetStatusString(status));
}

void check_launch(const char* kernel) { check_cuda(cudaGetLastError(), kernel); }

void allow_shared_memory(const void* kernel, int bytes, const char* name) {
  if (bytes == 0) return;
  check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                                  cudaSharedmemCarveoutMaxShared),
             name);
  if (bytes <= 48 * 1024) return;
  check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
             name);
}

}  // namespace edt
