// One GPU, the stream on which all of a backend's work is done in order, and cuBLASLt's handle.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <optional>

namespace edt {

class CudaStream {
 public:
  explicit CudaStream(int device);
  ~CudaStream();
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;

  // Makes the GPU that of the calling thread.
  cudaStream_t get() const;

 private:
  int device_;
  cudaStream_t stream_ = nullptr;
};

class CudaContext {
 public:
  // Throws CudaError when there is no such GPU or it is older than the kernels.
  explicit CudaContext(int device);
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  int device() const { return device_; }
  cudaStream_t stream() const { return stream_->get(); }
  cublasLtHandle_t cublas() const { return cublas_; }
  // Bytes of shared memory that a block may have.
  int most_shared_memory() const { return most_shared_memory_; }

 private:
  int device_;
  int most_shared_memory_ = 0;
  std::optional<CudaStream> stream_;  // made when the GPU has been found to be there
  cublasLtHandle_t cublas_ = nullptr;
};

}  // namespace edt
