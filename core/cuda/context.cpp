#include "core/cuda/context.h"

#include <array>

#include "core/base/error.h"
#include "core/cuda/cuda_backend.h"
#include "core/cuda/error.h"
#include "core/cuda/kernels/presence.h"

namespace edt {

bool cuda_is_there() { return true; }

bool cuda_is_broken() { return false; }

int cuda_device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  forget_error();  // no driver is an answer, not a failure of what comes next
  return 0;
}

std::vector<std::string> cuda_device_places() {
  std::vector<std::string> places;
  for (int i = 0; i < cuda_device_count(); ++i) {
    std::array<char, 32> place{};
    check_cuda(cudaDeviceGetPCIBusId(place.data(), static_cast<int>(place.size()), i),
               "asking for a GPU's place");
    places.emplace_back(place.data());
  }
  return places;
}

std::string cuda_absence() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  forget_error();
  return status == cudaSuccess ? "no GPU is visible" : cudaGetErrorString(status);
}

GpuType cuda_gpu_type(int device) {
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, device), "asking for a GPU's type");
  return {properties.name, fmt::format("{}.{}", properties.major, properties.minor),
          properties.multiProcessorCount, cublasLtGetVersion()};
}

CudaStream::CudaStream(int device, StreamPriority priority) : device_(device) {
  check_cuda(cudaSetDevice(device), "choosing the GPU");
  int least = 0, greatest = 0;
  check_cuda(cudaDeviceGetStreamPriorityRange(&least, &greatest), "asking for priorities");
  check_cuda(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking,
                                          priority == StreamPriority::kFirst ? greatest : least),
             "making a stream");
}

CudaStream::~CudaStream() { cudaStreamDestroy(stream_); }

cudaStream_t CudaStream::get() const {
  check_cuda(cudaSetDevice(device_), "choosing the GPU");
  return stream_;
}

CudaContext::CudaContext(int device) : device_(device) {
  const int count = cuda_device_count();
  require<CudaError>(count > 0, "cuda", "GPU {} was asked for: {}", device, cuda_absence());
  require<CudaError>(device >= 0 && device < count, "cuda", "GPU {} was asked for, {} are visible",
                     device, count);
  check_cuda(cudaSetDevice(device), "choosing the GPU");
  require_kernels();
  most_shared_memory_ = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
  is_hopper_ = attribute(cudaDevAttrComputeCapabilityMajor) == 9 &&
               attribute(cudaDevAttrComputeCapabilityMinor) == 0;
  stream_.emplace(device);
  check_cublas(cublasLtCreate(&cublas_), "starting cuBLASLt");
}

void CudaContext::require_kernels() const {
  int compiled_for = 0;
  const cudaError_t status = find_kernels(compiled_for);
  if (status == cudaSuccess) return;
  forget_error();
  fail<CudaError>("cuda", "GPU {} has compute capability {}, this build has code for {} ({})",
                  device_, cuda_gpu_type(device_).capability, EDT_CUDA_ARCHITECTURES,
                  cudaGetErrorString(status));
}

int CudaContext::attribute(cudaDeviceAttr which) const {
  int value = 0;
  check_cuda(cudaDeviceGetAttribute(&value, which, device_), "reading the GPU's attributes");
  return value;
}

bool CudaContext::is_capturing() const {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check_cuda(cudaStreamIsCapturing(stream(), &status), "asking whether a CUDA graph is captured");
  return status != cudaStreamCaptureStatusNone;
}

CudaContext::~CudaContext() { cublasLtDestroy(cublas_); }

}  // namespace edt
