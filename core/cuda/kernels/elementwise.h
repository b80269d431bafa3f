// Element by element over contiguous memory, float32 or bf16.
#pragma once

#include "core/cuda/kernels/launch.h"
#include "core/ops/activation_kind.h"

namespace edt {

struct Elements {
  void* data = nullptr;
  DType dtype = DType::kFloat32;
};

// to = value
void launch_fill(cudaStream_t stream, Elements to, float value, std::int64_t n);
// to (+)= from
void launch_convert(cudaStream_t stream, Elements from, Elements to, std::int64_t n,
                    bool accumulate);
// sums[0] += (sums[1] + (... + (sums[count - 1] + last)))
struct FoldCall {
  float* sums[31] = {};
  const float* last = nullptr;
  int count = 0;
};
void launch_fold(cudaStream_t stream, const FoldCall& call, std::int64_t n);
// y = a + b, one dtype
void launch_add(cudaStream_t stream, DType dtype, const void* a, const void* b, void* y,
                std::int64_t n);
// y = f(x), one dtype
void launch_activation(cudaStream_t stream, DType dtype, Activation kind, const void* x, void* y,
                       std::int64_t n);
// dx (+)= dy f'(x), one dtype; dx may be the memory of dy
void launch_activation_backward(cudaStream_t stream, DType dtype, Activation kind, const void* dy,
                                const void* x, void* dx, std::int64_t n, bool accumulate);
// What an MLP's backward needs of the pre-activation h: g = gelu(h) and d = d * gelu'(h).
void launch_gelu_again(cudaStream_t stream, DType dtype, const void* h, void* d, void* g,
                       std::int64_t n);
// SwiGLU on h [rows, 2 units]: y [rows, units] = silu(first half of h) * second half.
void launch_silu_gate(cudaStream_t stream, DType dtype, const void* h, void* y, std::int64_t rows,
                      std::int64_t units);
// What its backward needs of h: dh [rows, 2 units] from d, the gradient of y, which becomes y.
void launch_silu_gate_again(cudaStream_t stream, DType dtype, const void* h, void* d, void* dh,
                            std::int64_t rows, std::int64_t units);
// y[m] = x[m] + table[m mod T] for rows of `columns` elements of one dtype; x may be y, or null for
// zeros. A bias is a table of one row.
struct RowTable {
  const void* data = nullptr;
  std::int64_t rows = 1;
};
void launch_add_rows(cudaStream_t stream, DType dtype, const void* x, const RowTable& table,
                     void* y, std::int64_t rows, std::int64_t columns);

}  // namespace edt
