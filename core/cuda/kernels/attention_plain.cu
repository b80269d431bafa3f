// Attention in float32 arithmetic: for float32 tensors, and for heads and grids that the
// tensor-core kernels do not take.
// The maths is in core/reference/attention.cpp.
#include <cmath>

#include "core/cuda/kernels/attention.h"
#include "core/cuda/kernels/attention_rows.cuh"

namespace edt {
namespace {

using namespace attention_rows;

template <class T>
__device__ float bias_of(const AttentionCall& call, int sample, int head, int query, int key) {
  if (call.table == nullptr) return 0;
  const AttentionSizes& s = call.sizes;
  const std::int64_t row =
      s.query_offset(call.place(sample, query)) - s.key_offset(call.place(sample, key));
  return to_float(static_cast<const T*>(call.table)[row * s.heads + head]);
}

// A block for 16 queries of one head.
template <class T>
__global__ void __launch_bounds__(kThreads) attention(AttentionCall call) {
  const AttentionSizes& s = call.sizes;
  float* const memory = reinterpret_cast<float*>(dynamic_shared());
  float* const q = memory;
  float* const k = q + kRows * row_stride(s.size);
  float* const v = k + kColumns * row_stride(s.size);
  float* const p = v + kColumns * row_stride(s.size);  // [kRows][kColumns + 1]
  const Thread me;
  const int head = blockIdx.y, sample = blockIdx.z, query = blockIdx.x * kRows + me.row;
  const T* const qkv = static_cast<const T*>(call.qkv);
  const float scale = 1.0f / sqrtf(static_cast<float>(s.size));
  copy_rows(q, qkv + s.qkv_at(sample, 0, head), s.qkv_stride(), blockIdx.x * kRows, kRows, s.tokens,
            s.size);

  float* const my_p = p + me.row * (kColumns + 1);
  float acc[kPerThread] = {}, largest = -INFINITY, sum = 0;
  for (int first = 0; first < s.tokens; first += kColumns) {
    __syncthreads();  // the tile before has been used
    copy_rows(k, qkv + s.qkv_at(sample, 1, head), s.qkv_stride(), first, kColumns, s.tokens,
              s.size);
    copy_rows(v, qkv + s.qkv_at(sample, 2, head), s.qkv_stride(), first, kColumns, s.tokens,
              s.size);
    __syncthreads();
    float logit[kPairs], tile_largest = largest;
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const int column = me.part + 8 * i, key = first + column;
      logit[i] = -INFINITY;
      if (key < s.tokens && query < s.tokens) {
        logit[i] =
            fmaf(dot(q + me.row * row_stride(s.size), k + column * row_stride(s.size), s.size),
                 scale, bias_of<T>(call, sample, head, query, key));
      } else if (key < s.tokens) {
        logit[i] = 0;  // a row that nobody reads
      }
      tile_largest = fmaxf(tile_largest, logit[i]);
    }
    tile_largest = row_max(tile_largest);
    const float shrink = expf(largest - tile_largest);
    largest = tile_largest;
    float tile_sum = 0;
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const int column = me.part + 8 * i, key = first + column;
      float value = expf(logit[i] - largest);
      tile_sum += value;
      if (call.modulation != nullptr && query < s.tokens && key < s.tokens) {
        value *= call.modulation[query * s.tokens + key];
      }
      my_p[column] = value;
    }
    sum = fmaf(sum, shrink, row_sum(tile_sum));
    __syncwarp();  // the row's eight threads are in this warp
#pragma unroll
    for (float& a : acc) a *= shrink;
    add_rows(acc, my_p, v, s.size, me.part);
    __syncwarp();
  }
  if (query >= s.tokens) return;
  write_row(static_cast<T*>(call.out) + s.out_at(sample, head) + query * s.out_stride(), acc,
            1.0f / sum, me.part, s.size, false);
  if (call.lse != nullptr && me.part == 0) {
    call.lse[s.lse_at(sample, head) + query] = largest + logf(sum);
  }
}

// delta = row sums of dout * out; a row of eight threads for each token of a head.
template <class T>
__global__ void __launch_bounds__(kThreads) attention_delta(AttentionCall call) {
  const AttentionSizes& s = call.sizes;
  const Thread me;
  const int head = blockIdx.y, sample = blockIdx.z, query = blockIdx.x * kRows + me.row;
  float sum = 0;
  if (query < s.tokens) {
    const std::int64_t at = s.out_at(sample, head) + query * s.out_stride();
    for (int c = me.part; c < s.size; c += 8) {
      sum = fmaf(to_float(static_cast<const T*>(call.out)[at + c]),
                 to_float(static_cast<const T*>(call.dout)[at + c]), sum);
    }
  }
  sum = row_sum(sum);
  if (query < s.tokens && me.part == 0) call.delta[s.lse_at(sample, head) + query] = sum;
}

// What one pair of query and key gives to the gradients.
struct Pair {
  float p = 0, ds = 0;

  template <class T>
  __device__ static Pair of(const AttentionCall& call, int sample, int head, int query, int key,
                            const float* q, const float* k, const float* v, const float* dout) {
    const AttentionSizes& s = call.sizes;
    if (query >= s.tokens || key >= s.tokens) return {};
    const std::int64_t at = s.lse_at(sample, head) + query;
    const float scale = 1.0f / sqrtf(static_cast<float>(s.size));
    const float logit = fmaf(dot(q, k, s.size), scale, bias_of<T>(call, sample, head, query, key));
    const float p = expf(logit - call.lse[at]);
    if (s.tokens == 1) return {p, 0.0f};  // a constant softmax: no rounding error instead of zero
    return {p, p * (dot(dout, v, s.size) - call.delta[at])};
  }
};

// dk and dv: a block for 16 keys of one head, over all queries.
template <class T>
__global__ void __launch_bounds__(kThreads) attention_dkv(AttentionCall call) {
  const AttentionSizes& s = call.sizes;
  float* const memory = reinterpret_cast<float*>(dynamic_shared());
  const int stride = row_stride(s.size);
  float* const k = memory;
  float* const v = k + kRows * stride;
  float* const q = v + kRows * stride;
  float* const dout = q + kColumns * stride;
  float* const p = dout + kColumns * stride;  // [kRows][kColumns + 1]
  float* const ds = p + kRows * (kColumns + 1);
  const Thread me;
  const int head = blockIdx.y, sample = blockIdx.z, key = blockIdx.x * kRows + me.row;
  const T* const qkv = static_cast<const T*>(call.qkv);
  copy_rows(k, qkv + s.qkv_at(sample, 1, head), s.qkv_stride(), blockIdx.x * kRows, kRows, s.tokens,
            s.size);
  copy_rows(v, qkv + s.qkv_at(sample, 2, head), s.qkv_stride(), blockIdx.x * kRows, kRows, s.tokens,
            s.size);
  float dk[kPerThread] = {}, dv[kPerThread] = {};
  for (int first = 0; first < s.tokens; first += kColumns) {
    __syncthreads();
    copy_rows(q, qkv + s.qkv_at(sample, 0, head), s.qkv_stride(), first, kColumns, s.tokens,
              s.size);
    copy_rows(dout, static_cast<const T*>(call.dout) + s.out_at(sample, head), s.out_stride(),
              first, kColumns, s.tokens, s.size);
    __syncthreads();
    for (int column = me.part; column < kColumns; column += 8) {
      const Pair pair =
          Pair::of<T>(call, sample, head, first + column, key, q + column * stride,
                      k + me.row * stride, v + me.row * stride, dout + column * stride);
      p[me.row * (kColumns + 1) + column] = pair.p;
      ds[me.row * (kColumns + 1) + column] = pair.ds;
    }
    __syncwarp();
    add_rows(dv, p + me.row * (kColumns + 1), dout, s.size, me.part);
    add_rows(dk, ds + me.row * (kColumns + 1), q, s.size, me.part);
    __syncwarp();
  }
  if (key >= s.tokens) return;
  T* const row = static_cast<T*>(call.dqkv) + key * s.qkv_stride();
  write_row(row + s.qkv_at(sample, 1, head), dk, 1.0f / sqrtf(static_cast<float>(s.size)), me.part,
            s.size, call.accumulate);
  write_row(row + s.qkv_at(sample, 2, head), dv, 1.0f, me.part, s.size, call.accumulate);
}

// The part of ds [kRows][kColumns + 1] that belongs to the table entries of this thread: entries r
// and r - g of one table row, so that no two threads share one.
__device__ void add_to_table(const AttentionCall& call, int sample, const float* ds,
                             int first_query, int first_key, float* dtable) {
  const AttentionSizes& s = call.sizes;
  const int g = s.columns;
  for (int item = threadIdx.x; item < (2 * s.rows - 1) * g; item += kThreads) {
    const int r = item % g, row = item / g;
    float same = 0, wrapped = 0;
    for (int i = 0; i < kRows && first_query + i < s.tokens; ++i) {
      const int query = call.place(sample, first_query + i), x = query % g;
      const int key_y = query / g - (row - (s.rows - 1));
      if (key_y < 0 || key_y >= s.rows) continue;
      const int key = call.token_at(sample, key_y * g + (x >= r ? x - r : x - r + g));
      const int column = key - first_key;  // a dropped key is none of any tile
      if (key < 0 || column < 0 || column >= kColumns) continue;
      (x >= r ? same : wrapped) += ds[i * (kColumns + 1) + column];
    }
    float* const entries = dtable + row * s.span() + g - 1;
    entries[r] += same;
    if (r > 0) entries[r - g] += wrapped;
  }
}

// dq and the head's share of the table's gradient: a block for one head of one sample.
template <class T>
__global__ void __launch_bounds__(kThreads) attention_dq(AttentionCall call) {
  const AttentionSizes& s = call.sizes;
  float* const memory = reinterpret_cast<float*>(dynamic_shared());
  const int stride = row_stride(s.size);
  float* const q = memory;
  float* const dout = q + kRows * stride;
  float* const k = dout + kRows * stride;
  float* const v = k + kColumns * stride;
  float* const ds = v + kColumns * stride;  // [kRows][kColumns + 1]
  float* const dtable = ds + kRows * (kColumns + 1);
  const Thread me;
  const int head = blockIdx.x, sample = blockIdx.y;
  const T* const qkv = static_cast<const T*>(call.qkv);
  for (int i = threadIdx.x; i < s.table_rows(); i += kThreads) dtable[i] = 0;
  for (int first_query = 0; first_query < s.tokens; first_query += kRows) {
    __syncthreads();
    copy_rows(q, qkv + s.qkv_at(sample, 0, head), s.qkv_stride(), first_query, kRows, s.tokens,
              s.size);
    copy_rows(dout, static_cast<const T*>(call.dout) + s.out_at(sample, head), s.out_stride(),
              first_query, kRows, s.tokens, s.size);
    float dq[kPerThread] = {};
    for (int first_key = 0; first_key < s.tokens; first_key += kColumns) {
      __syncthreads();
      copy_rows(k, qkv + s.qkv_at(sample, 1, head), s.qkv_stride(), first_key, kColumns, s.tokens,
                s.size);
      copy_rows(v, qkv + s.qkv_at(sample, 2, head), s.qkv_stride(), first_key, kColumns, s.tokens,
                s.size);
      __syncthreads();
      for (int column = me.part; column < kColumns; column += 8) {
        ds[me.row * (kColumns + 1) + column] =
            Pair::of<T>(call, sample, head, first_query + me.row, first_key + column,
                        q + me.row * stride, k + column * stride, v + column * stride,
                        dout + me.row * stride)
                .ds;
      }
      __syncthreads();
      add_rows(dq, ds + me.row * (kColumns + 1), k, s.size, me.part);
      if (call.dtables != nullptr) add_to_table(call, sample, ds, first_query, first_key, dtable);
    }
    const int query = first_query + me.row;
    if (query < s.tokens) {
      write_row(static_cast<T*>(call.dqkv) + s.qkv_at(sample, 0, head) + query * s.qkv_stride(), dq,
                1.0f / sqrtf(static_cast<float>(s.size)), me.part, s.size, call.accumulate);
    }
  }
  if (call.dtables == nullptr) return;
  float* const share =
      call.dtables + (static_cast<std::int64_t>(sample) * s.heads + head) * s.table_rows();
  __syncthreads();
  for (int i = threadIdx.x; i < s.table_rows(); i += kThreads) share[i] = dtable[i];
}

// A thread for each entry of a head, of rows that no pair reads too.
__global__ void __launch_bounds__(kThreads)
    add_tables(AttentionSizes s, const float* dtables, std::int64_t shares, TableTarget to) {
  wait_for_earlier_kernels();
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int head = blockIdx.y;
  if (row >= to.rows) return;
  float sum = 0;
  if (row < s.table_rows()) {
#pragma unroll 8
    for (std::int64_t i = 0; i < shares; ++i) {
      sum += dtables[(i * s.heads + head) * s.table_rows() + row];
    }
  }
  float* const entry = to.data + row * s.heads + head;
  *entry = to.accumulate ? *entry + sum : sum;
}

unsigned row_blocks(const AttentionSizes& s) {
  return static_cast<unsigned>(divide_up(s.tokens, kRows));
}

template <class Kernel>
void run(cudaStream_t stream, Kernel kernel, dim3 grid, int floats, const AttentionCall& call,
         const char* name) {
  const int bytes = floats * static_cast<int>(sizeof(float));
  launch({stream, name, grid, kThreads, bytes}, kernel, call);
}

}  // namespace

void launch_attention_plain(cudaStream_t stream, const AttentionCall& call) {
  const AttentionSizes& s = call.sizes;
  const int floats = (kRows + 2 * kColumns) * row_stride(s.size) + kRows * (kColumns + 1);
  with_element(call.dtype, [&]<class T>(T) {
    run(stream, attention<T>, dim3(row_blocks(s), s.heads, s.batch), floats, call,
        "attention forward");
  });
}

void launch_attention_plain_backward(cudaStream_t stream, const AttentionCall& call) {
  const AttentionSizes& s = call.sizes;
  const dim3 rows(row_blocks(s), s.heads, s.batch), units(s.heads, s.batch);
  const int tiles = 2 * (kRows + kColumns) * row_stride(s.size), tile = kRows * (kColumns + 1);
  with_element(call.dtype, [&]<class T>(T) {
    run(stream, attention_delta<T>, rows, 0, call, "attention backward");
    run(stream, attention_dkv<T>, rows, tiles + 2 * tile, call, "attention backward");
    run(stream, attention_dq<T>, units, tiles + tile + s.table_rows(), call, "attention backward");
  });
}

void launch_add_tables(cudaStream_t stream, const AttentionSizes& s, const float* dtables,
                       std::int64_t shares, const TableTarget& to) {
  const dim3 grid(static_cast<unsigned>(divide_up(to.rows, kThreads)), s.heads);
  launch_programmatic({stream, "attention backward", grid, kThreads}, add_tables, s, dtables,
                      shares, to);
}

}  // namespace edt
