// The emulated CUDA runtime and cuBLASLt: what tests ask of them beyond CUDA's own functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace edt::emulation {

// Bytes of dynamic shared memory that a kernel may be launched with.
int allowed_shared_memory(const void* kernel);

// What one block may have at most: an A100's at first, an H100's; and that of compute capability
// 8.6 and 8.9.
inline constexpr int kA100SharedMemory = 163 * 1024, kH100SharedMemory = 227 * 1024,
                     kSmallerSharedMemory = 99 * 1024;
void set_most_shared_memory(int bytes);

// On which place of the bus this thread's GPU seems to be: ranks that are threads have GPUs of
// their own then.
void set_gpu_place(int place);

// What a call came upon, a cudaError_t, which it gives back: as with CUDA, the thread's last error
// until cudaGetLastError() is asked for it. One that broke the context stays; 0: whole again.
int leave_error(int error);
void set_broken_context(int error);

// Whether kernels can be loaded: not where they were built for other GPUs.
void set_kernels_there(bool there);
// And for which their PTX was compiled, 90 for 9.0; 0: the GPU's own.
void set_kernels_compiled_for(int capability);

// Of CUDA's runtime, and the newest that the driver knows: 13000 for 13.0.
inline constexpr int kCudaVersion = 13000;
void set_cuda_versions(int runtime, int driver);

// 8.0 at first; products of warpgroups are of 9.0.
void set_compute_capability(int major, int minor);

// What this GPU is called, and the version of cuBLASLt.
inline constexpr const char* kGpuName = "Emulated GPU";
void set_gpu_name(const std::string& name);
inline constexpr std::size_t kCublasLtVersion = 130000;
inline constexpr int kMultiprocessors = 108;
void set_cublaslt_version(std::size_t version);

// Whether cuBLASLt finds algorithms with an epilogue. Without, the backend must do by itself what
// it would have fused.
void set_fused_epilogues(bool available);
// Whether products with an epilogue are refused when they are to run, though there was an
// algorithm.
void set_refusal_of_epilogues(bool refused);
// By which cublasStatus_t the library refuses from now on; 0: by NOT_SUPPORTED, as its manual says.
void set_status_of_refusals(int status);
// And which CUDA error it leaves behind; 0: none.
void set_error_of_refusals(int error);

// Whether the algorithms of single products can do batches, and the workspace that each product of
// a batch needs. A batch whose algorithm is looked up by itself has one that rounds otherwise.
void set_batches_by_single_algorithms(bool available, std::size_t workspace_bytes = 0);

// What cuBLASLt suggests for products that are no batches, in this order. Durations are pretended,
// timed events see them. With no argument: one.
struct Suggestion {
  double seconds = 1e-3;
  bool rounds_each_term = false;  // another order of sums, so to speak
  bool runs = true;               // or is refused when it is to run
  bool possible = true;           // or suggested with a state that says no
  std::uint32_t reduction_scheme = 0;
};
void set_suggestions(std::vector<Suggestion> suggestions = {Suggestion{}});

// How long launches of this name pretend to take.
void set_seconds_of_launches(const std::string& name, double seconds);
double seconds_of_launches(const char* name);

// By how much an epilogue pretends to lengthen its product.
void set_seconds_of_epilogues(double seconds);

// Calls of cublasLtMatmul so far, the products of their batches, and calls with an epilogue.
struct ProductCount {
  int calls = 0, products = 0, with_epilogue = 0;
};
ProductCount products_asked_for();

}  // namespace edt::emulation
