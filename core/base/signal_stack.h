// A stack for signal handlers. The kernels of oneDNN's sgemm point the stack pointer into a block
// of the heap (seen with 2.6: jit_avx512_common_gemm_f32, jit_avx_gemm_f32); a handler that ran
// there would write over what lies below that block.
#pragma once

#include <csignal>

namespace edt {

// Of the calling thread, for as long as it lives; nothing where it has one.
void give_thread_a_signal_stack();

// What `sa_flags` of every handler have, whatever else: it runs on that stack.
constexpr int kOnSignalStack = SA_ONSTACK;

}  // namespace edt
