// CUDA's runtime on host memory; streams and events are streams.cpp's.
#include "tests/core/cuda/emulation/runtime.h"

#include <cuda_runtime_api.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "tests/core/cuda/emulation/asynchronous.h"
#include "tests/core/cuda/emulation/device_memory.h"
#include "tests/core/cuda/emulation/streams.h"

namespace {

std::map<const void*, int>& shared_limits() {
  static std::map<const void*, int> limits;
  return limits;
}

thread_local int gpu_place = 0;
thread_local bool chosen = false;

int most_shared_memory = edt::emulation::kA100SharedMemory;
bool kernels_there = true;
int kernels_compiled_for = 0;
int runtime_version = edt::emulation::kCudaVersion, driver_version = edt::emulation::kCudaVersion;
int capability_major = 8, capability_minor = 0;
thread_local std::string gpu_name = edt::emulation::kGpuName;  // of this rank's GPU

std::map<std::string, double>& launch_seconds() {
  static std::map<std::string, double> seconds;
  return seconds;
}

thread_local cudaError_t last_error = cudaSuccess;
std::atomic<cudaError_t> of_context = cudaSuccess;

cudaError_t left(cudaError_t error) {
  edt::emulation::leave_error(error);
  return error;
}

constexpr size_t kPromised = 256;  // alignment of pinned memory
std::mutex pinned_mutex;
std::map<char*, std::size_t>& pinned() {
  static std::map<char*, std::size_t> blocks;
  return blocks;
}

constexpr std::size_t kGpuBytes = std::size_t{80} << 30;
std::mutex taken_mutex;
std::map<void*, std::size_t>& taken() {
  static std::map<void*, std::size_t> blocks;
  return blocks;
}

bool is_pinned(const void* memory) {
  const std::lock_guard lock(pinned_mutex);
  auto* at = static_cast<char*>(const_cast<void*>(memory));
  const auto after = pinned().upper_bound(at);
  if (after == pinned().begin()) return false;
  const auto& [begin, bytes] = *std::prev(after);
  return at < begin + bytes;
}

}  // namespace

namespace edt::emulation {

int allowed_shared_memory(const void* kernel) {
  const auto found = shared_limits().find(kernel);
  return found == shared_limits().end() ? 48 * 1024 : found->second;
}

void set_gpu_place(int place) { gpu_place = place; }

void set_gpu_name(const std::string& name) { gpu_name = name; }

void set_compute_capability(int major, int minor) {
  capability_major = major;
  capability_minor = minor;
}

void set_cuda_versions(int runtime, int driver) {
  runtime_version = runtime;
  driver_version = driver;
}

void set_seconds_of_launches(const std::string& name, double seconds) {
  launch_seconds()[name] = seconds;
}
double seconds_of_launches(const char* name) {
  const auto found = launch_seconds().find(name);
  return found == launch_seconds().end() ? 0 : found->second;
}

int leave_error(int error) {
  if (error != cudaSuccess) last_error = static_cast<cudaError_t>(error);
  return error;
}

void set_broken_context(int error) { of_context = static_cast<cudaError_t>(error); }

void set_kernels_there(bool there) { kernels_there = there; }
void set_kernels_compiled_for(int capability) { kernels_compiled_for = capability; }

void set_most_shared_memory(int bytes) { most_shared_memory = bytes; }

void require_chosen_gpu(const char* call) {
  if (chosen) return;
  std::fprintf(stderr, "emulation: %s by a thread that has not chosen its GPU\n", call);
  std::abort();
}

}  // namespace edt::emulation

namespace {

// The driver's function, as far as the backend uses it.
CUresult encode_tiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* base,
                      const cuuint64_t* sizes, const cuuint64_t* strides, const cuuint32_t* box,
                      const cuuint32_t* every, CUtensorMapInterleave interleave,
                      CUtensorMapSwizzle swizzle, CUtensorMapL2promotion,
                      CUtensorMapFloatOOBfill fill) {
  if (type != CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 || rank != 2 || every[0] != 1 || every[1] != 1 ||
      interleave != CU_TENSOR_MAP_INTERLEAVE_NONE || fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) {
    return CUDA_ERROR_NOT_SUPPORTED;
  }
  return edt::emulation::encode_map(*map, base, {sizes[0], sizes[1]}, strides[0], {box[0], box[1]},
                                    swizzle)
             ? CUDA_SUCCESS
             : CUDA_ERROR_INVALID_VALUE;
}

}  // namespace

using edt::emulation::is_captured;
using edt::emulation::refused_in_capture;
using edt::emulation::require_chosen_gpu;

extern "C" {

cudaError_t cudaGetLastError() {
  const cudaError_t last = std::exchange(last_error, cudaSuccess);
  return of_context != cudaSuccess ? of_context.load() : last;
}
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureIsolation:
      return "dependency created on uncaptured work in another stream";
    case cudaErrorCapturedEvent:
      return "operation not permitted on an event last recorded in a capturing stream";
    default:
      return "emulated error";
  }
}
const char* cudaGetErrorName(cudaError_t) { return "emulated"; }
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = runtime_version;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = driver_version;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  chosen = true;
  return left(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = most_shared_memory;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = capability_major;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = capability_minor;
      break;
    default:
      *value = 0;
  }
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::snprintf(properties->name, sizeof properties->name, "%s", gpu_name.c_str());
  properties->major = capability_major;
  properties->minor = capability_minor;
  properties->multiProcessorCount = edt::emulation::kMultiprocessors;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char* place, int length, int device) {
  std::snprintf(place, static_cast<size_t>(length), "0000:%02d:00.0", gpu_place + device);
  return cudaSuccess;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char* name, void** function, unsigned,
                                             unsigned long long,
                                             cudaDriverEntryPointQueryResult* result) {
  const bool is_known = std::strcmp(name, "cuTensorMapEncodeTiled") == 0;
  *function = is_known ? reinterpret_cast<void*>(&encode_tiled) : nullptr;
  *result = is_known ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  *attributes = {};
  attributes->ptxVersion =
      kernels_compiled_for != 0 ? kernels_compiled_for : 10 * capability_major + capability_minor;
  return left(kernels_there ? cudaSuccess : cudaErrorNoKernelImageForDevice);
}
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int bytes) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
  if (bytes > most_shared_memory) return left(cudaErrorInvalidValue);
  shared_limits()[kernel] = bytes;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  require_chosen_gpu("cudaMalloc");
  if (const cudaError_t refused = refused_in_capture()) return refused;
  *memory = edt::emulation::take_device_memory(bytes);
  if (*memory == nullptr) return left(cudaErrorMemoryAllocation);
  const std::lock_guard lock(taken_mutex);
  taken()[*memory] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
  if (const cudaError_t refused = refused_in_capture()) return refused;
  edt::emulation::finish_all();
  edt::emulation::give_device_memory_back(memory);
  const std::lock_guard lock(taken_mutex);
  taken().erase(memory);
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *free = *total = kGpuBytes;
  const std::lock_guard lock(taken_mutex);
  for (const auto& [block, bytes] : taken()) *free -= bytes;
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  require_chosen_gpu("cudaHostAlloc");
  if (const cudaError_t refused = refused_in_capture()) return refused;
  auto* const begin =
      static_cast<char*>(std::aligned_alloc(4096, (kPromised + bytes + 4095) / 4096 * 4096));
  if (begin == nullptr) return left(cudaErrorMemoryAllocation);
  *memory = begin + kPromised;
  const std::lock_guard lock(pinned_mutex);
  pinned()[static_cast<char*>(*memory)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* memory) {
  if (const cudaError_t refused = refused_in_capture()) return refused;
  edt::emulation::finish_all();
  const std::lock_guard lock(pinned_mutex);
  pinned().erase(static_cast<char*>(memory));
  std::free(static_cast<char*>(memory) - kPromised);
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  edt::emulation::ask(stream, [=] { std::memset(to, value, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                              size_t width, size_t rows, cudaMemcpyKind, cudaStream_t stream) {
  edt::emulation::ask(stream, [=] {
    for (size_t row = 0; row < rows; ++row) {
      std::memcpy(static_cast<char*>(to) + row * to_pitch,
                  static_cast<const char*>(from) + row * from_pitch, width);
    }
  });
  return cudaSuccess;
}
// Host memory that is not pinned is read before the call returns, and written before it returns: a
// graph would copy from or to wherever it was then.
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const bool pageable = (kind == cudaMemcpyHostToDevice && !is_pinned(from)) ||
                        (kind == cudaMemcpyDeviceToHost && !is_pinned(to));
  if (pageable && is_captured(stream)) return refused_in_capture();
  if (kind == cudaMemcpyHostToDevice && !is_pinned(from)) {
    const char* begin = static_cast<const char*>(from);
    edt::emulation::ask(stream, [to, copy = std::vector<char>(begin, begin + bytes)] {
      std::memcpy(to, copy.data(), copy.size());
    });
    return cudaSuccess;
  }
  edt::emulation::ask(stream, [=] { std::memcpy(to, from, bytes); });
  if (kind == cudaMemcpyDeviceToHost && !is_pinned(to)) edt::emulation::finish(stream);
  return cudaSuccess;
}

}  // extern "C"
