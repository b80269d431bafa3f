// Attention of tokens to texts of different lengths, in float32 arithmetic.
#pragma once

#include "core/cuda/kernels/attention_plan.h"
#include "core/cuda/kernels/launch.h"

namespace edt {

struct CrossAttentionCall {
  DType dtype = DType::kFloat32;  // of all but lse and delta
  int batch = 0, queries = 0, keys = 0, heads = 0, size = 0;
  const void* q = nullptr;                // [B, T, H, d]
  const void* kv = nullptr;               // [B, L, 2, H, d]
  const std::int32_t* lengths = nullptr;  // [B]
  void* out = nullptr;                    // [B, T, H, d]
  float* lse = nullptr;                   // [B, H, T]; forward: or null

  // backward
  const void* dout = nullptr;
  void *dq = nullptr, *dkv = nullptr;  // null: not wanted
  bool add_dq = false, add_dkv = false;
  float* delta = nullptr;  // [B, H, T]: row sums of dout * out

  // Elements: distance of two queries and of two keys, and where a head's begin, of keys (0) or
  // values (1).
  EDT_HOST_DEVICE std::int64_t query_stride() const { return std::int64_t{1} * heads * size; }
  EDT_HOST_DEVICE std::int64_t key_stride() const { return 2 * query_stride(); }
  EDT_HOST_DEVICE std::int64_t query_at(int sample, int head) const {
    return sample * (queries * query_stride()) + head * size;
  }
  EDT_HOST_DEVICE std::int64_t key_at(int sample, int which, int head) const {
    return sample * (keys * key_stride()) + (which * heads + head) * size;
  }
  EDT_HOST_DEVICE std::int64_t lse_at(int sample, int head) const {
    return (static_cast<std::int64_t>(sample) * heads + head) * queries;
  }
};

void launch_cross_attention(cudaStream_t stream, const CrossAttentionCall& call);
void launch_cross_attention_backward(cudaStream_t stream, const CrossAttentionCall& call);

}  // namespace edt
