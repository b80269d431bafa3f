// The emulated CUDA runtime and cuBLASLt: what tests ask of them beyond CUDA's own functions.
#pragma once

namespace edt::emulation {

// Bytes of dynamic shared memory that a kernel may be launched with.
int allowed_shared_memory(const void* kernel);

// Whether cuBLASLt finds algorithms with an epilogue. Without, the backend must do by itself what
// it would have fused.
void set_fused_epilogues(bool available);

}  // namespace edt::emulation
