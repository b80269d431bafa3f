// Whether the kernels that were built run on the present GPU.
#pragma once

#include <cuda_runtime_api.h>

namespace edt {

// Success, or why no kernel can be loaded: there is machine code for other GPUs, and none that the
// driver could translate.
cudaError_t find_kernels();

}  // namespace edt
