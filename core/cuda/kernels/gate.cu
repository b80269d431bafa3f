// dh = gate dy, and h dy summed over the rows of the slice.
#include "core/cuda/kernels/gate.h"

#include "core/cuda/kernels/row_launch.cuh"

namespace edt {
namespace {

constexpr int kRows = 2;  // rows whose loads are in flight together

struct Slice {
  std::int64_t first, end;  // rows of the whole batch

  __device__ Slice(const GateCall& call, std::int64_t rows_per_slice) {
    const std::int64_t begin = blockIdx.x * rows_per_slice;
    first = blockIdx.y * call.tokens + begin;
    end = blockIdx.y * call.tokens + min(begin + rows_per_slice, call.tokens);
  }
};

template <class T, int kVec>
__global__ void __launch_bounds__(kVec == 1 ? kMostScalarThreads : kMostVectorThreads)
    gate_forward(GateCall call, std::int64_t rows_per_slice) {
  wait_for_earlier_kernels();
  const std::int64_t column = threadIdx.x * kVec;
  if (column >= call.width) return;
  const Slice slice(call, rows_per_slice);
  float gate[kVec];
  load<kVec>(static_cast<const T*>(call.gate.data) + blockIdx.y * call.gate.stride + column, gate);
#pragma unroll 1
  for (std::int64_t row = slice.first; row < slice.end; row += kRows) {
    float x[kRows][kVec], h[kRows][kVec];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (row + r >= slice.end) break;
      load<kVec>(static_cast<const T*>(call.x) + (row + r) * call.width + column, x[r]);
      load<kVec>(static_cast<const T*>(call.h) + (row + r) * call.width + column, h[r]);
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (row + r >= slice.end) break;
#pragma unroll
      for (int i = 0; i < kVec; ++i) x[r][i] = fmaf(gate[i], h[r][i], x[r][i]);
      store<kVec>(static_cast<T*>(call.y) + (row + r) * call.width + column, x[r]);
    }
  }
}

template <class T, int kVec>
__global__ void __launch_bounds__(kVec == 1 ? kMostScalarThreads : kMostVectorThreads)
    gate_backward(GateCall call, std::int64_t rows_per_slice) {
  wait_for_earlier_kernels();
  const std::int64_t column = threadIdx.x * kVec;
  if (column >= call.width) return;
  const Slice slice(call, rows_per_slice);
  float gate[kVec], sum[kVec];
  load<kVec>(static_cast<const T*>(call.gate.data) + blockIdx.y * call.gate.stride + column, gate);
#pragma unroll
  for (float& s : sum) s = 0;
#pragma unroll 1
  for (std::int64_t row = slice.first; row < slice.end; row += kRows) {
    float dy[kRows][kVec], h[kRows][kVec];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (row + r >= slice.end) break;
      load<kVec>(static_cast<const T*>(call.x) + (row + r) * call.width + column, dy[r]);
      load<kVec>(static_cast<const T*>(call.h) + (row + r) * call.width + column, h[r]);
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (row + r >= slice.end) break;
#pragma unroll
      for (int i = 0; i < kVec; ++i) {
        sum[i] = fmaf(h[r][i], dy[r][i], sum[i]);
        dy[r][i] *= gate[i];
      }
      if (call.y != nullptr) {
        put<kVec>(static_cast<T*>(call.y) + (row + r) * call.width + column, dy[r],
                  call.accumulate);
      }
    }
  }
  if (call.partials == nullptr) return;
  store<kVec>(call.partials + (blockIdx.y * gridDim.x + blockIdx.x) * call.width + column, sum);
}

}  // namespace

bool gate_vectors(const GateCall& call) {
  return call.width % kVector == 0 && vectors_fit(call.gate) && aligned16(call.x) &&
         aligned16(call.h) && aligned16(call.y);
}

void launch_gate_forward(cudaStream_t stream, const RowPlan& plan, const GateCall& call) {
  with_vector(plan, call.dtype, [&]<class T, int kVec>() {
    launch_programmatic({stream, "gate_residual forward", grid_of(plan, call.batch), plan.threads},
                        gate_forward<T, kVec>, call, plan.rows_per_slice);
  });
}

void launch_gate_backward(cudaStream_t stream, const RowPlan& plan, const GateCall& call) {
  with_vector(plan, call.dtype, [&]<class T, int kVec>() {
    launch_programmatic({stream, "gate_residual backward", grid_of(plan, call.batch), plan.threads},
                        gate_backward<T, kVec>, call, plan.rows_per_slice);
  });
}

}  // namespace edt
