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

// Where a thread's columns of the rows of one sample come from: in one part, because a part is a
// multiple of the vector. What is the same for all rows is found once; within a sample 32 bits say
// where an element is.
template <int kParts>
struct Gathered {
  int column;     // the first, in the normalised row
  bool active;    // there is such a column
  int input = 0;  // x[0] or x[1]

  __device__ Gathered(const NormCall& call, int first, std::int64_t in_batch)
      : column(first), active(first < call.width), size_(static_cast<int>(call.width) / kParts) {
    const int part = kParts == 1 ? 0 : column / size_;
    in_part_ = column - part * size_;
    if constexpr (kParts == 2) input = part;
    if constexpr (kParts == 4) {
      down_ = part & 1;
      right_ = part >> 1;
      half_ = call.columns / 2;
      if (call.mask != nullptr) mask_ = call.mask + in_batch * call.rows * call.columns;
    }
    tokens_ = kParts == 4 ? std::int64_t{call.rows} * call.columns : call.tokens;
    sample_ = in_batch * tokens_ * size_ + in_part_;
  }

  // By comparison: an index at run time would copy the kernel's arguments to local memory.
  template <class P>
  __device__ P of(const P (&inputs)[2]) const {
    return kParts == 2 && input == 1 ? inputs[1] : inputs[0];
  }
  // The thread's place in the sample's row 0 of its input, or gradient.
  template <class T, class P>
  __device__ T* place(const P (&inputs)[2]) const {
    return static_cast<T*>(of(inputs)) + sample_;
  }
  // From there to that in a row.
  __device__ int at(int row) const { return token(row) * size_; }
  // The mask.
  __device__ float keep(int row) const {
    return kParts == 4 && mask_ != nullptr ? mask_[token(row)] : 1.0f;
  }

 private:
  __device__ int token(int row) const {
    if constexpr (kParts != 4) return row;
    return (2 * (row / half_) + down_) * 2 * half_ + 2 * (row % half_) + right_;
  }

  int size_, in_part_, down_ = 0, right_ = 0, half_ = 1;
  std::int64_t tokens_, sample_;
  const float* mask_ = nullptr;
};

// What multiplies n: 1 + scale, times the weight of RMS norm.
template <class T, int kVec, bool kRms>
__device__ void load_factor(const NormCall& call, int column, std::int64_t sample,
                            float (&factor)[kVec]) {
  load<kVec>(static_cast<const T*>(call.scale.data) + sample * call.scale.stride + column, factor);
#pragma unroll
  for (float& f : factor) f = 1.0f + f;
  if constexpr (kRms) {
    float weight[kVec];
    load<kVec>(static_cast<const T*>(call.weight) + column, weight);
#pragma unroll
    for (int i = 0; i < kVec; ++i) factor[i] *= weight[i];
  }
}

// The next rows are on their way while these are summed.
template <class T, int kVec, int kParts, bool kRms>
__global__ void __launch_bounds__(kVec == 1 ? kMostScalarThreads : kMostVectorThreads)
    norm_forward(NormCall call, int rows_per_slice, float epsilon) {
  __shared__ __align__(16) float shared[2][kRows * 32];
  const std::int64_t sample = blockIdx.y;
  const Gathered<kParts> from(call, threadIdx.x * kVec, sample);
  const int begin = blockIdx.x * rows_per_slice;
  const int end = min(begin + rows_per_slice, static_cast<int>(call.tokens));
  const int width = static_cast<int>(call.width);
  const float inverse_width = 1.0f / static_cast<float>(width);
  const T* const x_of_sample = from.template place<const T>(call.x);
  T* const y = static_cast<T*>(call.y) + sample * call.tokens * width + from.column;
  float* const stats = call.stats + 2 * sample * call.tokens;
  float shift[kVec] = {}, factor[kVec] = {};
  if (from.active) {
    if (call.shift.data != nullptr) {
      load<kVec>(static_cast<const T*>(call.shift.data) + sample * call.shift.stride + from.column,
                 shift);
    }
    load_factor<T, kVec, kRms>(call, from.column, sample, factor);
  }
  Packed<T, kVec> next[kRows] = {};
  const auto fetch = [&](int row) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (from.active && row + r < end) next[r] = load_packed<kVec>(x_of_sample + from.at(row + r));
    }
  };
  fetch(begin);
  // All threads of a block take the same way through the loop: barriers are met by all.
  int turn = 0;
#pragma unroll 1
  for (int row = begin; row < end; row += kRows, turn ^= 1) {
    float x[kRows][kVec], sum[kRows], squares[kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      unpack<kVec>(next[r], x[r]);
      sum[r] = 0;
#pragma unroll
      for (int i = 0; i < kVec; ++i) sum[r] += x[r][i];
    }
    fetch(row + kRows);
    if constexpr (!kRms) block_sum<kRows>(sum, shared[0]);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if constexpr (kRms) sum[r] = 0;
      const float mean = sum[r] * inverse_width;
      squares[r] = 0;
#pragma unroll
      for (int i = 0; i < kVec; ++i) {
        x[r][i] -= mean;
        if (from.active) squares[r] += x[r][i] * x[r][i];
      }
    }
    // Without the first sum nothing orders the last row's reads of this memory before new writes.
    block_sum<kRows>(squares, shared[kRms ? turn : 1]);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (row + r >= end) break;
      const float inverse_std = 1.0f / sqrtf(squares[r] * inverse_width + epsilon);
      if (threadIdx.x == 0) {
        stats[2 * (row + r)] = sum[r] * inverse_width;
        stats[2 * (row + r) + 1] = inverse_std;
      }
      if (!from.active) continue;
      const float keep = from.keep(row + r);
#pragma unroll
      for (int i = 0; i < kVec; ++i) {
        x[r][i] = keep * fmaf(x[r][i] * inverse_std, factor[i], shift[i]);
      }
      store<kVec>(y + (row + r) * width, x[r]);
    }
  }
}

template <class T, int kVec, int kParts, bool kRms>
__global__ void __launch_bounds__(kVec == 1 ? kMostScalarThreads : kMostVectorThreads)
    norm_backward(NormCall call, int rows_per_slice) {
  __shared__ __align__(16) float shared[2][2 * kRows * 32];
  const std::int64_t sample = blockIdx.y;
  const Gathered<kParts> from(call, threadIdx.x * kVec, sample);
  const int begin = blockIdx.x * rows_per_slice;
  const int end = min(begin + rows_per_slice, static_cast<int>(call.tokens));
  const int width = static_cast<int>(call.width);
  const float inverse_width = 1.0f / static_cast<float>(width);
  const T* const x = from.template place<const T>(call.x);
  const T* const dy = static_cast<const T*>(call.dy) + sample * call.tokens * width + from.column;
  T* const dx = from.of(call.dx) == nullptr ? nullptr : from.template place<T>(call.dx);
  const bool accumulate = from.of(call.accumulate);
  const float2* const stats = reinterpret_cast<const float2*>(call.stats) + sample * call.tokens;
  float factor[kVec] = {}, sum_dy[kVec] = {}, sum_dyn[kVec] = {};
  if (from.active) load_factor<T, kVec, kRms>(call, from.column, sample, factor);
  int turn = 0;
#pragma unroll 1
  for (int row = begin; row < end; row += kRows, turn ^= 1) {
    float n[kRows][kVec] = {}, g[kRows][kVec] = {};
    float inverse_std[kRows] = {}, sums[2 * kRows] = {};
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (!from.active || row + r >= end) continue;
      load<kVec>(dy + (row + r) * width, g[r]);
      load<kVec>(x + from.at(row + r), n[r]);
      const float2 of_row = stats[row + r];  // mean, 1/std
      const float keep = from.keep(row + r);
      inverse_std[r] = of_row.y;
#pragma unroll
      for (int i = 0; i < kVec; ++i) {
        n[r][i] = (n[r][i] - of_row.x) * of_row.y;
        g[r][i] *= keep;
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
      if (!from.active || row + r >= end || dx == nullptr) continue;
      const float mean_g = sums[2 * r] * inverse_width, mean_gn = sums[2 * r + 1] * inverse_width;
#pragma unroll
      for (int i = 0; i < kVec; ++i) {
        g[r][i] = (g[r][i] - mean_g - n[r][i] * mean_gn) * inverse_std[r];
      }
      put<kVec>(dx + from.at(row + r), g[r], accumulate);
    }
  }
  if (!from.active || call.partials == nullptr) return;
  float* const partial =
      call.partials + (sample * gridDim.x + blockIdx.x) * 2 * call.width + from.column;
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

// Calls f<T, columns of a thread, parts of a row, RMS norm>().
template <class F>
void with_form(const RowPlan& plan, const NormCall& call, F&& f) {
  with_vector(plan, call.dtype, [&]<class T, int kVec>() {
    if (call.weight != nullptr) {
      f.template operator()<T, kVec, 1, true>();
    } else if (call.parts == 1) {
      f.template operator()<T, kVec, 1, false>();
    } else if (call.parts == 2) {
      f.template operator()<T, kVec, 2, false>();
    } else {
      f.template operator()<T, kVec, 4, false>();
    }
  });
}

void launch_norm_forward(cudaStream_t stream, const RowPlan& plan, const NormCall& call,
                         float epsilon) {
  with_form(plan, call, [&]<class T, int kVec, int kParts, bool kRms>() {
    launch({stream, "modulated_norm forward", grid_of(plan, call.batch), plan.threads},
           norm_forward<T, kVec, kParts, kRms>, call, static_cast<int>(plan.rows_per_slice),
           epsilon);
  });
}

void launch_norm_backward(cudaStream_t stream, const RowPlan& plan, const NormCall& call) {
  with_form(plan, call, [&]<class T, int kVec, int kParts, bool kRms>() {
    launch({stream, "modulated_norm backward", grid_of(plan, call.batch), plan.threads},
           norm_backward<T, kVec, kParts, kRms>, call, static_cast<int>(plan.rows_per_slice));
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
