// Elementary operations on tensors, and the way between host and device.
#include "core/cuda/backend.h"
#include "core/cuda/capturing.h"
#include "core/cuda/error.h"
#include "core/cuda/kernels/elementwise.h"
#include "core/cuda/kernels/presence.h"
#include "core/cuda/nvtx.h"
#include "core/cuda/typed.h"
#include "core/tensor/wrapped_device.h"

namespace edt {
namespace {

std::string name_of_version(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

// Captured into a graph, such a launch is an edge that CUDA has since 12.3.
void require_programmatic_edges() {
  constexpr int kFirst = 12030;
  int runtime = 0, driver = 0;
  check_cuda(cudaRuntimeGetVersion(&runtime), "asking for the version of CUDA's runtime");
  check_cuda(cudaDriverGetVersion(&driver), "asking for the version of CUDA's driver");
  require<UsageError>(runtime >= kFirst && driver >= kFirst, "cuda",
                      "programmatic-launch is on, CUDA's runtime is {}, its driver's {}: {} is "
                      "needed of both",
                      name_of_version(runtime), name_of_version(driver), name_of_version(kFirst));
}

void require_programmatic_launches(int device) {
  require_programmatic_edges();
  const std::string capability = cuda_gpu_type(device).capability;
  require<UsageError>(std::stoi(capability) >= 9, "cuda",
                      "programmatic-launch is on, GPU {} has compute capability {}: 9.0 is needed",
                      device, capability);
}

// Of code for older GPUs, translated by the driver, no kernel would wait for those before it.
void require_kernels_that_wait() {
  int compiled_for = 0;
  check_cuda(find_kernels(compiled_for), "looking at the kernels");
  require<UsageError>(compiled_for >= 90, "cuda",
                      "programmatic-launch is on, this build's kernels are for compute capability "
                      "{}.{}: EDT_CUDA_ARCHITECTURES with 90 is needed",
                      compiled_for / 10, compiled_for % 10);
}

Elements elements_of(const Tensor& tensor) { return {tensor.data, element_of(tensor)}; }

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
  mark_spans_with_nvtx();
  if (options.programmatic_launch) require_programmatic_launches(options.device);
  auto backend = std::make_unique<CudaBackend>(options);
  if (options.programmatic_launch) require_kernels_that_wait();
  allow_programmatic_launches(options.programmatic_launch);
  return backend;
}

std::map<GemmKey, std::int64_t> gemm_calls(const Backend& cuda_backend) {
  const auto* backend = dynamic_cast<const CudaBackend*>(&cuda_backend);
  EDT_ASSERT(backend != nullptr);
  return backend->matmul().calls();
}

cudaStream_t stream_of(Device& device) {
  if (const auto* around = dynamic_cast<WrappedDevice*>(&device)) {
    return stream_of(around->wrapped());
  }
  if (const auto* other = dynamic_cast<CudaStreamDevice*>(&device)) return other->stream();
  const auto* backend = dynamic_cast<CudaBackend*>(&device);
  require<CudaError>(backend != nullptr, "cuda", "the device is {}, a GPU is needed",
                     device.name());
  return backend->stream();
}

void zero_on(cudaStream_t stream, const Tensor& tensor) {
  check_cuda(cudaMemsetAsync(tensor.data, 0, tensor.bytes(), stream), "zero");
}

void fill_on(cudaStream_t stream, const Tensor& tensor, double value) {
  launch_fill(stream, elements_of(tensor), static_cast<float>(value), tensor.elements());
}

void copy_on(cudaStream_t stream, const Tensor& from, const Tensor& to) {
  EDT_ASSERT(from.elements() == to.elements());
  if (from.dtype == to.dtype) {
    check_cuda(cudaMemcpyAsync(to.data, from.data, to.bytes(), cudaMemcpyDeviceToDevice, stream),
               "copy");
    return;
  }
  launch_convert(stream, elements_of(from), elements_of(to), to.elements(), false);
}

void add_into_on(cudaStream_t stream, const Tensor& from, const Tensor& to) {
  EDT_ASSERT(from.shape == to.shape && from.dtype == to.dtype);
  launch_convert(stream, elements_of(from), elements_of(to), to.elements(), true);
}

void fold_on(cudaStream_t stream, std::span<const Tensor> sums, const Tensor& last) {
  FoldCall call{.last = last.as<float>(), .count = static_cast<int>(sums.size())};
  EDT_ASSERT(!sums.empty() && sums.size() <= std::size(call.sums));
  for (std::size_t i = 0; i < sums.size(); ++i) call.sums[i] = sums[i].as<float>();
  launch_fold(stream, call, last.elements());
}

void send_on(cudaStream_t stream, const void* host, const Tensor& to) {
  check_cuda(cudaMemcpyAsync(to.data, host, to.bytes(), cudaMemcpyHostToDevice, stream), "send");
}

// In stream order, so nothing that is still running reads or writes the tensor at the same time.
void upload_on(cudaStream_t stream, const void* host, const Tensor& to) {
  require_no_capture("an upload");
  send_on(stream, host, to);
  synchronize_on(stream);
}

void download_on(cudaStream_t stream, const Tensor& from, void* host) {
  require_no_capture("a download");
  check_cuda(cudaMemcpyAsync(host, from.data, from.bytes(), cudaMemcpyDeviceToHost, stream),
             "download");
  synchronize_on(stream);
}

void synchronize_on(cudaStream_t stream) {
  require_no_capture("waiting for a stream");
  check_cuda(cudaStreamSynchronize(stream), "waiting");
}

}  // namespace edt
