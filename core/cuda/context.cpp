#include "core/cuda/context.h"

#include <array>

#include "core/base/error.h"
#include "core/cuda/cuda_backend.h"
#include "core/cuda/error.h"

namespace edt {

bool cuda_is_there() { return true; }

bool cuda_is_broken() { return false; }

int cuda_device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  cudaGetLastError();  // no driver is an answer, not a failure of what comes next
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
  cudaGetLastError();
  return status == cudaSuccess ? "no GPU is visible" : cudaGetErrorString(status);
}

GpuType cuda_gpu_type(int device) {
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, device), "asking for a GPU's type");
  return {properties.name, fmt::format("{}.{}", properties.major, properties.minor),
          cublasLtGetVersion()};
}

CudaStream::CudaStream(int device) : device_(device) {
  check_cuda(cudaSetDevice(device), "choosing the GPU");
  check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
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
  int major = 0, minor = 0;
  check_cuda(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
             "reading the GPU's architecture");
  check_cuda(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device),
             "reading the GPU's architecture");
  // Machine code is there for these alone: sm_80 code also runs on 8.6 and 8.9, sm_90a code on 9.0.
  require<CudaError>(major == 8 || (major == 9 && minor == 0), "cuda",
                     "GPU {} has compute capability {}.{}, this build has code for 8.x and 9.0",
                     device, major, minor);
  check_cuda(
      cudaDeviceGetAttribute(&most_shared_memory_, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
      "reading the GPU's shared memory");
  stream_.emplace(device);
  check_cublas(cublasLtCreate(&cublas_), "starting cuBLASLt");
}

CudaContext::~CudaContext() { cublasLtDestroy(cublas_); }

}  // namespace edt
