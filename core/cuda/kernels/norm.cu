// n = (x - mean) / std, y = n (1 + scale) + shift. With g = dy (1 + scale):
// dx = (g - mean(g) - n mean(g n)) / std, dshift = sum of dy, dscale = sum of dy n over the rows.
// RMS norm: without the means of x and g, and 1 + scale times the weight.
#include "core/cuda/kernels/norm.h"

#include <algorithm>

#include "core/cuda/kernels/reduce.cuh"
#include "core/cuda/kernels/row_launch.cuh"

namespace edt {
namespace {

constexpr int kRows = 2;  // rows whose sums are taken together

// The columns of a thread: in one part, because a part is a multiple of the vector.
struct Column {
  std::int64_t at;    // in the normalised row
  int part, in_part;  // which part, and the column inside it
  bool active;

  template <int kVec>
  __device__ static Column of(const NormCall& call) {
    Column c;
    c.at = static_cast<std::int64_t>(threadIdx.x) * kVec;
    c.active = c.at < call.width;
    const int size = static_cast<int>(call.width / call.parts);
    c.part = static_cast<int>(c.at) / size;
    c.in_part = static_cast<int>(c.at) - c.part * size;
    return c;
  }
};

// Where a thread's columns of one row come from.
struct Source {
  int input = 0;        // x[0] or x[1]
  std::int64_t at = 0;  // element of that input
  float keep = 1;       // the mask

  // By comparison: an index at run time would copy the kernel's arguments to local memory.
  template <class P>
  __device__ P of(const P (&inputs)[2]) const {
    return input == 0 ? inputs[0] : inputs[1];
  }

  __device__ Source(const NormCall& call, const Column& c, std::int64_t sample, std::int64_t row) {
    const std::int64_t size = call.width / call.parts;
    if (call.parts == 4) {
      const int half = call.columns / 2, r = static_cast<int>(row);
      const int down = 2 * (r / half) + (c.part & 1), right = 2 * (r % half) + (c.part >> 1);
      const std::int64_t token = (sample * call.rows + down) * call.columns + right;
      at = token * size + c.in_part;
      if (call.mask != nullptr) keep = call.mask[token];
    } else {
      input = c.part;
      at = (sample * call.tokens + row) * size + c.in_part;
    }
  }
};

// What multiplies n: 1 + scale, times the weight of RMS norm.
template <class T, int kVec, bool kRms>
__device__ void load_factor(const NormCall& call, const Column& column, std::int64_t sample,
                            float (&factor)[kVec]) {
  load<kVec>(static_cast<const T*>(call.scale.data) + sample * call.scale.stride + column.at,
             factor);
#pragma unroll
  for (float& f : factor) f = 1.0f + f;
  if constexpr (kRms) {
    float weight[kVec];
    load<kVec>(static_cast<const T*>(call.weight) + column.at, weight);
#pragma unroll
    for (int i = 0; i < kVec; ++i) factor[i] *= weight[i];
  }
}

template <class T, int kVec, bool kRms>
__global__ void __launch_bounds__(kVec == 1 ? kMostScalarThreads : kMostVectorThreads)
    norm_forward(NormCall call, std::int64_t rows_per_slice, float epsilon) {
  __shared__ float shared[2][kRows * 32];
  const Column column = Column::of<kVec>(call);
  const std::int64_t sample = blockIdx.y;
  const std::int64_t begin = blockIdx.x * rows_per_slice;
  const std::int64_t end = min(begin + rows_per_slice, call.tokens);
  const float inverse_width = 1.0f / static_cast<float>(call.width);
  float shift[kVec] = {}, factor[kVec] = {};
  if (column.active) {
    if (call.shift.data != nullptr) {
      load<kVec>(static_cast<const T*>(call.shift.data) + sample * call.shift.stride + column.at,
                 shift);
    }
    load_factor<T, kVec, kRms>(call, column, sample, factor);
  }
  // All threads of a block take the same way through the loop: barriers are met by all.
  int turn = 0;
#pragma unroll 1
  for (std::int64_t row = begin; row < end; row += kRows, turn ^= 1) {
    float x[kRows][kVec] = {}, keep[kRows], sum[kRows], squares[kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      keep[r] = 1;
      if (column.active && row + r < end) {
        const Source source(call, column, sample, row + r);
        load<kVec>(static_cast<const T*>(source.of(call.x)) + source.at, x[r]);
        keep[r] = source.keep;
      }
      sum[r] = 0;
#pragma unroll
      for (int i = 0; i < kVec; ++i) sum[r] += x[r][i];
    }
    if constexpr (!kRms) block_sum<kRows>(sum, shared[0]);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if constexpr (kRms) sum[r] = 0;
      const float mean = sum[r] * inverse_width;
      squares[r] = 0;
#pragma unroll
      for (int i = 0; i < kVec; ++i) {
        x[r][i] -= mean;
        if (column.active) squares[r] += x[r][i] * x[r][i];
      }
    }
    // Without the first sum nothing orders the last row's reads of this memory before new writes.
    block_sum<kRows>(squares, shared[kRms ? turn : 1]);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (row + r >= end) break;
      const float inverse_std = 1.0f / sqrtf(squares[r] * inverse_width + epsilon);
      const std::int64_t out = sample * call.tokens + row + r;
      if (threadIdx.x == 0) {
        call.stats[2 * out] = sum[r] * inverse_width;
        call.stats[2 * out + 1] = inverse_std;
      }
      if (!column.active) continue;
#pragma unroll
      for (int i = 0; i < kVec; ++i) {
        x[r][i] = keep[r] * fmaf(x[r][i] * inverse_std, factor[i], shift[i]);
      }
      store<kVec>(static_cast<T*>(call.y) + out * call.width + column.at, x[r]);
    }
  }
}

template <class T, int kVec, bool kRms>
__global__ void __launch_bounds__(kVec == 1 ? kMostScalarThreads : kMostVectorThreads)
    norm_backward(NormCall call, std::int64_t rows_per_slice) {
  __shared__ float shared[2][2 * kRows * 32];
  const Column column = Column::of<kVec>(call);
  const std::int64_t sample = blockIdx.y;
  const std::int64_t begin = blockIdx.x * rows_per_slice;
  const std::int64_t end = min(begin + rows_per_slice, call.tokens);
  const float inverse_width = 1.0f / static_cast<float>(call.width);
  float factor[kVec] = {}, sum_dy[kVec] = {}, sum_dyn[kVec] = {};
  if (column.active) load_factor<T, kVec, kRms>(call, column, sample, factor);
  int turn = 0;
#pragma unroll 1
  for (std::int64_t row = begin; row < end; row += kRows, turn ^= 1) {
    float n[kRows][kVec] = {}, g[kRows][kVec] = {};
    float inverse_std[kRows] = {}, sums[2 * kRows] = {};
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (!column.active || row + r >= end) continue;
      const std::int64_t from = sample * call.tokens + row + r;
      const Source source(call, column, sample, row + r);
      load<kVec>(static_cast<const T*>(call.dy) + from * call.width + column.at, g[r]);
      load<kVec>(static_cast<const T*>(source.of(call.x)) + source.at, n[r]);
      const float mean = call.stats[2 * from];
      inverse_std[r] = call.stats[2 * from + 1];
#pragma unroll
      for (int i = 0; i < kVec; ++i) {
        n[r][i] = (n[r][i] - mean) * inverse_std[r];
        g[r][i] *= source.keep;
        sum_dy[i] += g[r][i];
        sum_dyn[i] = fmaf(g[r][i], n[r][i], sum_dyn[i]);
        g[r][i] *= factor[i];
        if constexpr (!kRms) sums[2 * r] += g[r][i];
        sums[2 * r + 1] = fmaf(g[r][i], n[r][i], sums[2 * r + 1]);
      }
    }
    block_sum<2 * kRows>(sums, shared[turn]);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (!column.active || row + r >= end) continue;
      const float mean_g = sums[2 * r] * inverse_width, mean_gn = sums[2 * r + 1] * inverse_width;
#pragma unroll
      for (int i = 0; i < kVec; ++i) {
        g[r][i] = (g[r][i] - mean_g - n[r][i] * mean_gn) * inverse_std[r];
      }
      const Source source(call, column, sample, row + r);
      if (source.of(call.dx) == nullptr) continue;
      put<kVec>(static_cast<T*>(source.of(call.dx)) + source.at, g[r], source.of(call.accumulate));
    }
  }
  if (!column.active || call.partials == nullptr) return;
  float* partial = call.partials + (sample * gridDim.x + blockIdx.x) * 2 * call.width + column.at;
  store<kVec>(partial, sum_dy);
  store<kVec>(partial + call.width, sum_dyn);
}

constexpr int kSumThreads = 128;

// Of one sample and column: the slices in order. The sum of dy n stays in the first slice's place.
template <class T>
__global__ void __launch_bounds__(kSumThreads) rms_sample_sums(RmsSums s) {
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kSumThreads + threadIdx.x;
  if (c >= s.width) return;
  const float weight = to_float(static_cast<const T*>(s.weight)[c]);
  for (std::int64_t b = blockIdx.y; b < s.batch; b += gridDim.y) {
    float* from = s.partials + b * s.slices * 2 * s.width + c;
    float dy = 0, dyn = 0;
    for (std::int64_t i = 0; i < s.slices; ++i) {
      dy += from[2 * i * s.width];
      dyn += from[(2 * i + 1) * s.width];
    }
    from[s.width] = dyn;
    const auto add = [&](const ColumnView& to, float sum) {
      if (to.data == nullptr) return;
      T* at = static_cast<T*>(to.data) + b * to.stride + c;
      *at = round_to<T>(to_float(*at) + sum);
    };
    add(s.dshift, dy);
    add(s.dscale, weight * dyn);
  }
}

// Of one column: the samples in order.
template <class T>
__global__ void __launch_bounds__(kSumThreads) rms_weight_sums(RmsSums s) {
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kSumThreads + threadIdx.x;
  if (c >= s.width) return;
  float sum = 0;
#pragma unroll 4
  for (std::int64_t b = 0; b < s.batch; ++b) {
    const float scale = to_float(static_cast<const T*>(s.scale.data)[b * s.scale.stride + c]);
    sum = fmaf(1.0f + scale, s.partials[(b * s.slices * 2 + 1) * s.width + c], sum);
  }
  s.dweight[c] = s.accumulate ? s.dweight[c] + sum : sum;
}

}  // namespace

bool norm_vectors(const NormCall& call) {
  return call.width / call.parts % kVector == 0 && vectors_fit(call.shift) &&
         vectors_fit(call.scale) && aligned16(call.weight) && aligned16(call.x[0]) &&
         aligned16(call.x[1]) && aligned16(call.y) && aligned16(call.dy) && aligned16(call.dx[0]) &&
         aligned16(call.dx[1]);
}

void launch_norm_forward(cudaStream_t stream, const RowPlan& plan, const NormCall& call,
                         float epsilon) {
  with_vector(plan, call.dtype, [&]<class T, int kVec>() {
    launch({stream, "modulated_norm forward", grid_of(plan, call.batch), plan.threads},
           call.weight == nullptr ? norm_forward<T, kVec, false> : norm_forward<T, kVec, true>,
           call, plan.rows_per_slice, epsilon);
  });
}

void launch_norm_backward(cudaStream_t stream, const RowPlan& plan, const NormCall& call) {
  with_vector(plan, call.dtype, [&]<class T, int kVec>() {
    launch({stream, "modulated_norm backward", grid_of(plan, call.batch), plan.threads},
           call.weight == nullptr ? norm_backward<T, kVec, false> : norm_backward<T, kVec, true>,
           call, plan.rows_per_slice);
  });
}

void launch_rms_sums(cudaStream_t stream, const RmsSums& sums) {
  const auto columns = static_cast<unsigned>(divide_up(sums.width, kSumThreads));
  const auto samples = static_cast<unsigned>(std::min<std::int64_t>(sums.batch, 65535));
  with_element(sums.dtype, [&]<class T>(T) {
    launch({stream, "RMS norm, sums of samples", {columns, samples}, kSumThreads},
           rms_sample_sums<T>, sums);
    launch({stream, "RMS norm, gradient of the weight", columns, kSumThreads}, rms_weight_sums<T>,
           sums);
  });
}

}  // namespace edt
