#include "core/cuda/kernels/presence.h"

namespace edt {
namespace {

__global__ void do_nothing() {}

}  // namespace

cudaError_t find_kernels() {
  cudaFuncAttributes attributes{};
  return cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(do_nothing));
}

}  // namespace edt
