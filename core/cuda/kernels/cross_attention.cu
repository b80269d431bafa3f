// The maths is in core/reference/cross_attention.cpp. Keys behind a text's last one are not read.
#include "core/cuda/kernels/cross_attention.h"

#include <cmath>

#include "core/cuda/kernels/attention_rows.cuh"

namespace edt {
namespace {

using namespace attention_rows;

__device__ float scale_of(const CrossAttentionCall& call) {
  return 1.0f / sqrtf(static_cast<float>(call.size));
}

// A block for 16 queries of one head.
template <class T>
__global__ void __launch_bounds__(kThreads) cross_attention(CrossAttentionCall call) {
  const int size = call.size, stride = row_stride(size);
  float* const q = reinterpret_cast<float*>(dynamic_shared());
  float* const k = q + kRows * stride;
  float* const v = k + kColumns * stride;
  float* const p = v + kColumns * stride;  // [kRows][kColumns + 1]
  const Thread me;
  const int head = blockIdx.y, sample = blockIdx.z, first_query = blockIdx.x * kRows;
  const int query = first_query + me.row, keys = call.lengths[sample];
  const T* const kv = static_cast<const T*>(call.kv);
  const std::int64_t at = call.query_at(sample, head);
  copy_rows(q, static_cast<const T*>(call.q) + at, call.query_stride(), first_query, kRows,
            call.queries, size);

  float* const my_p = p + me.row * (kColumns + 1);
  float acc[kPerThread] = {}, largest = -INFINITY, sum = 0;
  for (int first = 0; first < keys; first += kColumns) {
    __syncthreads();  // the tile before has been used
    copy_rows(k, kv + call.key_at(sample, 0, head), call.key_stride(), first, kColumns, keys, size);
    copy_rows(v, kv + call.key_at(sample, 1, head), call.key_stride(), first, kColumns, keys, size);
    __syncthreads();
    float logit[kPairs], tile_largest = largest;
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const int column = me.part + 8 * i;
      logit[i] = first + column < keys
                     ? dot(q + me.row * stride, k + column * stride, size) * scale_of(call)
                     : -INFINITY;
      tile_largest = fmaxf(tile_largest, logit[i]);
    }
    tile_largest = row_max(tile_largest);
    const float shrink = expf(largest - tile_largest);
    largest = tile_largest;
    float tile_sum = 0;
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const float value = expf(logit[i] - largest);
      tile_sum += value;
      my_p[me.part + 8 * i] = value;
    }
    sum = fmaf(sum, shrink, row_sum(tile_sum));
    __syncwarp();  // the row's eight threads are in this warp
#pragma unroll
    for (float& a : acc) a *= shrink;
    add_rows(acc, my_p, v, size, me.part);
    __syncwarp();
  }
  if (query >= call.queries) return;
  write_row(static_cast<T*>(call.out) + at + query * call.query_stride(), acc,
            keys > 0 ? 1.0f / sum : 0.0f, me.part, size, false);
  if (call.lse != nullptr && me.part == 0) {
    call.lse[call.lse_at(sample, head) + query] = keys > 0 ? largest + logf(sum) : 0.0f;
  }
}

// delta = row sums of dout * out; a row of eight threads for each query of a head.
template <class T>
__global__ void __launch_bounds__(kThreads) cross_attention_delta(CrossAttentionCall call) {
  const Thread me;
  const int head = blockIdx.y, sample = blockIdx.z, query = blockIdx.x * kRows + me.row;
  float sum = 0;
  if (query < call.queries) {
    const std::int64_t at = call.query_at(sample, head) + query * call.query_stride();
    for (int c = me.part; c < call.size; c += 8) {
      sum = fmaf(to_float(static_cast<const T*>(call.out)[at + c]),
                 to_float(static_cast<const T*>(call.dout)[at + c]), sum);
    }
  }
  sum = row_sum(sum);
  if (query < call.queries && me.part == 0) call.delta[call.lse_at(sample, head) + query] = sum;
}

// What one pair of query and key gives to the gradients.
struct PairGradient {
  float p = 0, ds = 0;

  __device__ static PairGradient of(const CrossAttentionCall& call, int sample, int head, int query,
                                    int key, const float* q, const float* k, const float* v,
                                    const float* dout) {
    const int keys = call.lengths[sample];
    if (query >= call.queries || key >= keys) return {};
    const std::int64_t at = call.lse_at(sample, head) + query;
    const float p = expf(dot(q, k, call.size) * scale_of(call) - call.lse[at]);
    if (keys == 1) return {p, 0.0f};  // a constant softmax: no rounding error instead of zero
    return {p, p * (dot(dout, v, call.size) - call.delta[at])};
  }
};

// dk and dv: a block for 16 keys of one head, over all queries. Keys that are not there get zeros.
template <class T>
__global__ void __launch_bounds__(kThreads) cross_attention_dkv(CrossAttentionCall call) {
  const int size = call.size, stride = row_stride(size);
  float* const k = reinterpret_cast<float*>(dynamic_shared());
  float* const v = k + kRows * stride;
  float* const q = v + kRows * stride;
  float* const dout = q + kColumns * stride;
  float* const p = dout + kColumns * stride;  // [kRows][kColumns + 1]
  float* const ds = p + kRows * (kColumns + 1);
  const Thread me;
  const int head = blockIdx.y, sample = blockIdx.z, first_key = blockIdx.x * kRows;
  const int key = first_key + me.row, keys = call.lengths[sample];
  const T* const kv = static_cast<const T*>(call.kv);
  const std::int64_t at = call.query_at(sample, head);
  copy_rows(k, kv + call.key_at(sample, 0, head), call.key_stride(), first_key, kRows, keys, size);
  copy_rows(v, kv + call.key_at(sample, 1, head), call.key_stride(), first_key, kRows, keys, size);
  float dk[kPerThread] = {}, dv[kPerThread] = {};
  for (int first = 0; first < call.queries && first_key < keys; first += kColumns) {
    __syncthreads();
    copy_rows(q, static_cast<const T*>(call.q) + at, call.query_stride(), first, kColumns,
              call.queries, size);
    copy_rows(dout, static_cast<const T*>(call.dout) + at, call.query_stride(), first, kColumns,
              call.queries, size);
    __syncthreads();
    for (int column = me.part; column < kColumns; column += 8) {
      const PairGradient pair =
          PairGradient::of(call, sample, head, first + column, key, q + column * stride,
                           k + me.row * stride, v + me.row * stride, dout + column * stride);
      p[me.row * (kColumns + 1) + column] = pair.p;
      ds[me.row * (kColumns + 1) + column] = pair.ds;
    }
    __syncwarp();
    add_rows(dv, p + me.row * (kColumns + 1), dout, size, me.part);
    add_rows(dk, ds + me.row * (kColumns + 1), q, size, me.part);
    __syncwarp();
  }
  if (key >= call.keys) return;
  T* const row = static_cast<T*>(call.dkv) + key * call.key_stride();
  write_row(row + call.key_at(sample, 0, head), dk, scale_of(call), me.part, size, call.add_dkv);
  write_row(row + call.key_at(sample, 1, head), dv, 1.0f, me.part, size, call.add_dkv);
}

// dq: a block for 16 queries of one head, over the keys.
template <class T>
__global__ void __launch_bounds__(kThreads) cross_attention_dq(CrossAttentionCall call) {
  const int size = call.size, stride = row_stride(size);
  float* const q = reinterpret_cast<float*>(dynamic_shared());
  float* const dout = q + kRows * stride;
  float* const k = dout + kRows * stride;
  float* const v = k + kColumns * stride;
  float* const ds = v + kColumns * stride;  // [kRows][kColumns + 1]
  const Thread me;
  const int head = blockIdx.y, sample = blockIdx.z, first_query = blockIdx.x * kRows;
  const int query = first_query + me.row, keys = call.lengths[sample];
  const T* const kv = static_cast<const T*>(call.kv);
  const std::int64_t at = call.query_at(sample, head);
  copy_rows(q, static_cast<const T*>(call.q) + at, call.query_stride(), first_query, kRows,
            call.queries, size);
  copy_rows(dout, static_cast<const T*>(call.dout) + at, call.query_stride(), first_query, kRows,
            call.queries, size);
  float dq[kPerThread] = {};
  for (int first = 0; first < keys; first += kColumns) {
    __syncthreads();
    copy_rows(k, kv + call.key_at(sample, 0, head), call.key_stride(), first, kColumns, keys, size);
    copy_rows(v, kv + call.key_at(sample, 1, head), call.key_stride(), first, kColumns, keys, size);
    __syncthreads();
    for (int column = me.part; column < kColumns; column += 8) {
      ds[me.row * (kColumns + 1) + column] =
          PairGradient::of(call, sample, head, query, first + column, q + me.row * stride,
                           k + column * stride, v + column * stride, dout + me.row * stride)
              .ds;
    }
    __syncwarp();
    add_rows(dq, ds + me.row * (kColumns + 1), k, size, me.part);
    __syncwarp();
  }
  if (query >= call.queries) return;
  write_row(static_cast<T*>(call.dq) + at + query * call.query_stride(), dq, scale_of(call),
            me.part, size, call.add_dq);
}

dim3 blocks_of(const CrossAttentionCall& call, int rows) {
  return {static_cast<unsigned>(divide_up(rows, kRows)), static_cast<unsigned>(call.heads),
          static_cast<unsigned>(call.batch)};
}

template <class Kernel>
void run(cudaStream_t stream, Kernel kernel, const dim3& grid, int floats,
         const CrossAttentionCall& call, const char* name) {
  launch({stream, name, grid, kThreads, floats * static_cast<int>(sizeof(float))}, kernel, call);
}

}  // namespace

void launch_cross_attention(cudaStream_t stream, const CrossAttentionCall& call) {
  const int floats = (kRows + 2 * kColumns) * row_stride(call.size) + kRows * (kColumns + 1);
  with_element(call.dtype, [&]<class T>(T) {
    run(stream, cross_attention<T>, blocks_of(call, call.queries), floats, call,
        "cross_attention forward");
  });
}

void launch_cross_attention_backward(cudaStream_t stream, const CrossAttentionCall& call) {
  constexpr const char* kName = "cross_attention backward";
  const int tiles = 2 * (kRows + kColumns) * row_stride(call.size), tile = kRows * (kColumns + 1);
  const dim3 queries = blocks_of(call, call.queries), keys = blocks_of(call, call.keys);
  with_element(call.dtype, [&]<class T>(T) {
    run(stream, cross_attention_delta<T>, queries, 0, call, kName);
    if (call.dkv != nullptr) {
      run(stream, cross_attention_dkv<T>, keys, tiles + 2 * tile, call, kName);
    }
    if (call.dq != nullptr) run(stream, cross_attention_dq<T>, queries, tiles + tile, call, kName);
  });
}

}  // namespace edt
