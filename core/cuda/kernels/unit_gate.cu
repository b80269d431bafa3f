// A thread for each gate, a block for the means of each sample. Formulas:
// core/reference/unit_gate.cpp.
#include "core/cuda/kernels/unit_gate.h"

#include "core/cuda/kernels/reduce.cuh"
#include "core/cuda/kernels/vector.cuh"
#include "core/ops/unit_gate_formula.h"

namespace edt {
namespace {

constexpr int kThreads = 128;

template <class T>
__device__ float drawn_logit(const UnitGateCall& call, std::int64_t row, std::int64_t unit) {
  const float z = to_float(static_cast<const T*>(call.logits)[row * call.units + unit]);
  return call.draws == nullptr ? z : z + call.draws[row * call.draw_columns + unit];
}

template <class T>
__global__ void __launch_bounds__(kThreads) unit_gate_forward(UnitGateCall call, float* gates) {
  const std::int64_t columns = call.lead + call.units;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= call.rows * columns) return;
  const std::int64_t row = i / columns, unit = i % columns - call.lead;
  const bool is_open = unit < 0 || row >= call.batch || drawn_logit<T>(call, row, unit) > 0;
  gates[i] = is_open ? 1.f : 0.f;
}

template <class T>
__global__ void __launch_bounds__(kThreads) unit_gate_backward(UnitGateCall call) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= call.batch * call.units) return;
  const std::int64_t row = i / call.units, unit = i % call.units;
  const float d = call.dgates[row * (call.lead + call.units) + call.lead + unit];
  const float dz[1] = {d * gate_slope(drawn_logit<T>(call, row, unit), call.tau)};
  put<1>(static_cast<T*>(call.dlogits) + i, dz, call.accumulate);
}

__device__ float mean_of_gates(const ShareGates& of, std::int64_t row, float* shared) {
  float sum[1] = {0};
  for (std::int64_t i = threadIdx.x; i < of.columns; i += kThreads) {
    sum[0] += of.gates[row * of.columns + i];
  }
  block_sum<1>(sum, shared);
  return sum[0] / static_cast<float>(of.columns);
}

__device__ void put_gradient_row(const ShareGates& of, std::int64_t row, float value) {
  if (of.gradient == nullptr) return;
  for (std::int64_t i = threadIdx.x; i < of.columns; i += kThreads) {
    float& to = of.gradient[row * of.columns + i];
    to = of.accumulate ? to + value : value;
  }
}

__global__ void __launch_bounds__(kThreads) unit_share_forward(UnitShareCall call, float* share) {
  __shared__ float shared[3][32];  // block_sum() in a row
  const std::int64_t row = blockIdx.x;
  const float heads = mean_of_gates(call.heads, row, shared[0]);
  const float hidden = mean_of_gates(call.hidden, row, shared[1]);
  const float tokens = mean_of_gates(call.tokens, row, shared[2]);
  if (threadIdx.x == 0) share[row] += call.attention * heads + call.mlp * hidden * tokens;
}

__global__ void __launch_bounds__(kThreads)
    unit_share_backward(UnitShareCall call, const float* dshare) {
  __shared__ float shared[2][32];
  const std::int64_t row = blockIdx.x;
  const float d = row < call.batch ? dshare[row] : 0.f;
  const float hidden = mean_of_gates(call.hidden, row, shared[0]);
  const float tokens = mean_of_gates(call.tokens, row, shared[1]);
  put_gradient_row(call.heads, row, d * call.attention / static_cast<float>(call.heads.columns));
  put_gradient_row(call.hidden, row,
                   d * call.mlp * tokens / static_cast<float>(call.hidden.columns));
  put_gradient_row(call.tokens, row,
                   d * call.mlp * hidden / static_cast<float>(call.tokens.columns));
}

// Of one block, in all of its threads.
__device__ float share_excess(const float* share, std::int64_t batch, const float* target,
                              float* shared) {
  return mean_of_gates({batch, share}, 0, shared) - target[0];
}

__global__ void __launch_bounds__(kThreads)
    share_penalty_forward(const float* share, std::int64_t batch, const float* target,
                          float* losses, float* penalty) {
  __shared__ float shared[32];
  const float off = share_excess(share, batch, target, shared);
  for (std::int64_t b = threadIdx.x; b < batch; b += kThreads) losses[b] = share[b];
  if (threadIdx.x == 0) penalty[0] = off * off;
}

__global__ void __launch_bounds__(kThreads)
    share_penalty_backward(const float* dpenalty, const float* share, std::int64_t batch,
                           const float* target, float* dshare, bool accumulate) {
  __shared__ float shared[32];
  const float off = share_excess(share, batch, target, shared);
  const float each = 2 * off * dpenalty[0] / static_cast<float>(batch);
  for (std::int64_t b = threadIdx.x; b < batch; b += kThreads) {
    dshare[b] = accumulate ? dshare[b] + each : each;
  }
}

unsigned blocks_of(std::int64_t n) { return static_cast<unsigned>(divide_up(n, kThreads)); }

}  // namespace

void launch_unit_gate_forward(cudaStream_t stream, const UnitGateCall& call, float* gates) {
  const unsigned blocks = blocks_of(call.rows * (call.lead + call.units));
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "unit_gate forward", blocks, kThreads}, unit_gate_forward<T>, call, gates);
  });
}

void launch_unit_gate_backward(cudaStream_t stream, const UnitGateCall& call) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "unit_gate backward", blocks_of(call.batch * call.units), kThreads},
           unit_gate_backward<T>, call);
  });
}

void launch_unit_share_forward(cudaStream_t stream, const UnitShareCall& call, float* share) {
  launch({stream, "unit_share forward", static_cast<unsigned>(call.batch), kThreads},
         unit_share_forward, call, share);
}

void launch_unit_share_backward(cudaStream_t stream, const UnitShareCall& call,
                                const float* dshare) {
  launch({stream, "unit_share backward", static_cast<unsigned>(call.rows), kThreads},
         unit_share_backward, call, dshare);
}

void launch_share_penalty_forward(cudaStream_t stream, const float* share, std::int64_t batch,
                                  const float* target, float* losses, float* penalty) {
  launch({stream, "share_penalty forward", 1u, kThreads}, share_penalty_forward, share, batch,
         target, losses, penalty);
}

void launch_share_penalty_backward(cudaStream_t stream, const float* dpenalty, const float* share,
                                   std::int64_t batch, const float* target, float* dshare,
                                   bool accumulate) {
  launch({stream, "share_penalty backward", 1u, kThreads}, share_penalty_backward, dpenalty, share,
         batch, target, dshare, accumulate);
}

}  // namespace edt
