// Elementary operations on tensors, and the way between host and device.
#include "core/cuda/backend.h"
#include "core/cuda/error.h"
#include "core/cuda/kernels/elementwise.h"
#include "core/cuda/typed.h"

namespace edt {

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
  return std::make_unique<CudaBackend>(options);
}

void CudaBackend::zero(T tensor) {
  check_cuda(cudaMemsetAsync(tensor.data, 0, tensor.bytes(), stream()), "zero");
}

void CudaBackend::fill(T tensor, double value) {
  launch_fill(stream(), {tensor.data, element_of(tensor)}, static_cast<float>(value),
              tensor.elements());
}

void CudaBackend::copy(T from, T to) {
  EDT_ASSERT(from.elements() == to.elements());
  if (from.dtype == to.dtype) {
    check_cuda(cudaMemcpyAsync(to.data, from.data, to.bytes(), cudaMemcpyDeviceToDevice, stream()),
               "copy");
    return;
  }
  launch_convert(stream(), {from.data, element_of(from)}, {to.data, element_of(to)}, to.elements(),
                 false);
}

void CudaBackend::add_into(T from, T to) {
  EDT_ASSERT(from.shape == to.shape && from.dtype == to.dtype);
  launch_convert(stream(), {from.data, element_of(from)}, {to.data, element_of(to)}, to.elements(),
                 true);
}

// In stream order, so nothing that is still running reads or writes the tensor at the same time.
void CudaBackend::upload(const void* host, T to) {
  check_cuda(cudaMemcpyAsync(to.data, host, to.bytes(), cudaMemcpyHostToDevice, stream()),
             "upload");
  context_.synchronize();
}

void CudaBackend::download(T from, void* host) {
  check_cuda(cudaMemcpyAsync(host, from.data, from.bytes(), cudaMemcpyDeviceToHost, stream()),
             "download");
  context_.synchronize();
}

}  // namespace edt
