// The emulated CUDA runtime and cuBLASLt: what tests ask of them beyond CUDA's own functions.
#pragma once

#include <cstddef>

namespace edt::emulation {

// Bytes of dynamic shared memory that a kernel may be launched with.
int allowed_shared_memory(const void* kernel);

// What one block may have at most: an A100's, less than an H100's; and that of compute capability
// 8.6 and 8.9.
inline constexpr int kA100SharedMemory = 163 * 1024, kSmallerSharedMemory = 99 * 1024;
void set_most_shared_memory(int bytes);

// On which place of the bus this thread's GPU seems to be: ranks that are threads have GPUs of
// their own then.
void set_gpu_place(int place);

// Whether cuBLASLt finds algorithms with an epilogue. Without, the backend must do by itself what
// it would have fused.
void set_fused_epilogues(bool available);
// Whether products with an epilogue are refused when they are to run, though there was an
// algorithm.
void set_refusal_of_epilogues(bool refused);

// Whether the algorithms of single products can do batches, and the workspace that each product of
// a batch needs. A batch whose algorithm is looked up by itself has one that rounds otherwise.
void set_batches_by_single_algorithms(bool available, std::size_t workspace_bytes = 0);

// Calls of cublasLtMatmul so far, and the products of their batches.
struct ProductCount {
  int calls = 0, products = 0;
};
ProductCount products_asked_for();

}  // namespace edt::emulation
