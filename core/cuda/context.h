// One GPU, the stream on which all of a backend's work is done in order, and cuBLASLt's handle.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <optional>

namespace edt {

// Whose blocks a GPU takes first where several streams have some to give.
enum class StreamPriority { kUsual, kFirst };

class CudaStream {
 public:
  explicit CudaStream(int device, StreamPriority priority = StreamPriority::kUsual);
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
  // Throws CudaError when there is no such GPU, or this build has no code for it.
  explicit CudaContext(int device);
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  int device() const { return device_; }
  cudaStream_t stream() const { return stream_->get(); }
  cublasLtHandle_t cublas() const { return cublas_; }
  // The stream's work becomes a graph: nothing may be asked of a library then that it has to
  // prepare.
  bool is_capturing() const;
  // Bytes of shared memory that a block may have.
  int most_shared_memory() const { return most_shared_memory_; }
  // Compute capability 9.0: the only one that has the instructions of sm_90a.
  bool is_hopper() const { return is_hopper_; }

 private:
  void require_kernels() const;
  int attribute(cudaDeviceAttr which) const;

  int device_;
  int most_shared_memory_ = 0;
  bool is_hopper_ = false;
  std::optional<CudaStream> stream_;  // made when the GPU has been found to be there
  cublasLtHandle_t cublas_ = nullptr;
};

}  // namespace edt
