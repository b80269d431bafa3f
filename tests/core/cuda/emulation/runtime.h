// The emulated CUDA runtime and cuBLASLt: what tests ask of them beyond CUDA's own functions.
#pragma once

namespace edt::emulation {

// Bytes of dynamic shared memory that a kernel may be launched with.
int allowed_shared_memory(const void* kernel);

// On which place of the bus this thread's GPU seems to be: ranks that are threads have GPUs of
// their own then.
void set_gpu_place(int place);

// Whether cuBLASLt finds algorithms with an epilogue. Without, the backend must do by itself what
// it would have fused.
void set_fused_epilogues(bool available);

}  // namespace edt::emulation
