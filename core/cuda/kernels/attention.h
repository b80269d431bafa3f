// Attention with a learnt relative-position bias. Two families of kernels: on the tensor cores for
// bf16 (attention_tensor_*.cu), and plain float32 arithmetic for everything else
// (attention_plain.cu). Neither stores a [T, T] matrix.
#pragma once

#include "core/cuda/kernels/attention_plan.h"
#include "core/cuda/kernels/launch.h"

namespace edt {

struct AttentionCall {
  DType dtype = DType::kFloat32;  // of qkv, table, out and their gradients
  AttentionSizes sizes;
  const void* qkv = nullptr;    // [B, T, 3, H, d]
  const void* table = nullptr;  // [>= (2r-1)(2c-1), H], or null: no bias
  // Where tokens stand on the grid, and which token stands where (-1: none), where some were
  // dropped; null: every token stands at its own place.
  const std::int32_t* ids = nullptr;     // [B, T]
  const std::int32_t* places = nullptr;  // [B, r*c]
  const float* modulation = nullptr;     // [T, T], forward only, or null
  void* out = nullptr;                   // [B, T, H, d]
  float* lse = nullptr;                  // [B, H, T]; forward: or null

  // backward
  const void* dout = nullptr;
  void* dqkv = nullptr;
  bool accumulate = false;
  float* dtables =
      nullptr;             // [B, key blocks, H, (2r-1)(2c-1)]: each block's share; null: not wanted
  bool skewed = false;     // takes_skewed(): how the table's gradient is formed
  float* dq = nullptr;     // [key blocks, B, H, T, d] where there are several
  float* delta = nullptr;  // [B, H, T], plain only: row sums of dout * out

  EDT_HOST_DEVICE int place(int sample, int token) const {
    return ids == nullptr ? token : ids[sample * sizes.tokens + token];
  }
  // The token that stands at a place of the grid; negative: none.
  EDT_HOST_DEVICE int token_at(int sample, int place) const {
    return places == nullptr ? place : places[sample * sizes.rows * sizes.columns + place];
  }
};

// By blocks of 1 (up to 16 tokens), 4 or 8 warps (forward_warps): the same bits.
void launch_attention_tensor(cudaStream_t stream, const AttentionCall& call, int warps);
void launch_attention_tensor_backward(cudaStream_t stream, const AttentionCall& call);

void launch_attention_plain(cudaStream_t stream, const AttentionCall& call);
void launch_attention_plain_backward(cudaStream_t stream, const AttentionCall& call);

// The table's gradient [rows, H], whose first rows pairs of tokens read.
struct TableTarget {
  float* data = nullptr;
  std::int64_t rows = 0;
  bool accumulate = false;
};
// (+)= the shares of `shares` blocks, in order
void launch_add_tables(cudaStream_t stream, const AttentionSizes& sizes, const float* dtables,
                       std::int64_t shares, const TableTarget& to);

}  // namespace edt
