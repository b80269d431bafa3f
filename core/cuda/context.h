// One GPU, the stream on which all of a backend's work is done in order, and cuBLASLt's handle.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <string>

namespace edt {

class CudaContext {
 public:
  // Throws CudaError when there is no such GPU or it is older than the kernels.
  explicit CudaContext(int device);
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  int device() const { return device_; }
  // Work may be asked for from another thread than the one that made the context.
  cudaStream_t stream() const;
  cublasLtHandle_t cublas() const { return cublas_; }
  void synchronize() const;

 private:
  int device_;
  cudaStream_t stream_ = nullptr;
  cublasLtHandle_t cublas_ = nullptr;
};

}  // namespace edt
