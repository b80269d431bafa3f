// Attention linear in the tokens: sums over the keys of each head, and what queries make of them.
#pragma once

#include "core/cuda/kernels/launch.h"

namespace edt {

// Rows [batch, tokens, heads, size].
struct KernelAttentionCall {
  DType dtype = DType::kFloat32;  // of all but the states
  std::int64_t batch = 0, queries = 0, keys = 0;
  int heads = 0, size = 0;
  float epsilon = 0;
  const void *q = nullptr, *k = nullptr, *v = nullptr;
  void* y = nullptr;           // backward: read
  float* state = nullptr;      // [batch, heads, size, size + 1]; backward: read
  const void* dy = nullptr;    // backward alone, as all that follows
  float* dstate = nullptr;     // of state's shape: working memory
  float* quotients = nullptr;  // [batch, heads, queries, 2]: 1 / m and -dy . y / m
  void *dq = nullptr, *dk = nullptr, *dv = nullptr;  // null: not wanted
  bool accumulate_q = false, accumulate_k = false, accumulate_v = false;
};

// Bytes of shared memory that the largest of its blocks takes.
int kernel_attention_shared(int size);

void launch_kernel_attention_forward(cudaStream_t stream, const KernelAttentionCall& call);
void launch_kernel_attention_backward(cudaStream_t stream, const KernelAttentionCall& call);

}  // namespace edt
