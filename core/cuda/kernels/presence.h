// Whether the kernels that were built run on the present GPU.
#pragma once

#include <cuda_runtime_api.h>

namespace edt {

// Success, or why no kernel can be loaded: there is machine code for other GPUs, and none that the
// driver could translate. Then `compiled_for` becomes the compute capability of that code's PTX, 90
// for 9.0: what a newer driver translates behaves as what it was written for.
cudaError_t find_kernels(int& compiled_for);

}  // namespace edt
