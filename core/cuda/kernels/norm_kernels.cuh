// The kernels of modulated norms. n = (x - mean) / std, y = n (1 + scale) + shift. With g = dy (1 +
// scale): dx = (g - mean(g) - n mean(g n)) / std, dshift = sum of dy, dscale = sum of dy n over the
// rows. RMS norm: without the means of x and g, and 1 + scale times the weight.
//
// Of a GateNormCall the rows are sums, x + gate h, which are stored on their way; and dx, to which
// was added what arrived for them, gives dh = gate dx and the sum of h dx over the rows. All is
// rounded where kernels one after the other would round it, so the bits are theirs: files of these
// kernels are compiled without fused multiply-add, and what is to be rounded once says fmaf.
#pragma once

#include <type_traits>

#include "core/cuda/kernels/gate_norm.h"
#include "core/cuda/kernels/norm.h"
#include "core/cuda/kernels/reduce.cuh"
#include "core/cuda/kernels/row_launch.cuh"

namespace edt {

inline constexpr int kRows = 2;  // rows whose sums are taken together

// Rows of up to 2048 columns leave a thread 128 registers, so that what a GateNormCall adds up is
// not put aside in memory.
inline constexpr int kNarrowThreads = 256;
template <int kThreads>
inline constexpr int kLeastBlocks = kThreads == kNarrowThreads ? 2 : 1;

template <class Call>
inline constexpr bool kIsGated = std::is_same_v<Call, GateNormCall>;

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

// A block's rows of one sample, of which a thread has kVec columns.
template <class T, int kVec, int kParts>
struct NormSlice {
  std::int64_t sample;
  Gathered<kParts> from;
  int begin, end, width;
  float inverse_width;
  const T* x;  // of row 0, as of() below

  __device__ NormSlice(const NormCall& call, int rows_per_slice)
      : sample(blockIdx.y),
        from(call, threadIdx.x * kVec, sample),
        begin(blockIdx.x * rows_per_slice),
        end(min(begin + rows_per_slice, static_cast<int>(call.tokens))),
        width(static_cast<int>(call.width)),
        inverse_width(1.0f / static_cast<float>(width)),
        x(from.template place<const T>(call.x)),
        in_batch_(sample * call.tokens * width + from.column) {}

  // The thread's place in row 0 of a tensor of normalised rows; the next row is `width` further.
  __device__ const T* of(const void* rows) const { return static_cast<const T*>(rows) + in_batch_; }
  __device__ T* of(void* rows) const { return static_cast<T*>(rows) + in_batch_; }

 private:
  std::int64_t in_batch_;
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

template <class T, int kVec>
__device__ Packed<T, kVec> load_gate(const GateNormCall& call, int column, std::int64_t sample) {
  return load_packed<kVec>(static_cast<const T*>(call.gate.data) + sample * call.gate.stride +
                           column);
}

// x += gate h
template <class T, int kVec>
__device__ void add_gated(const Packed<T, kVec>& gates, const Packed<T, kVec>& branch,
                          float (&x)[kVec]) {
  float gate[kVec], h[kVec];
  unpack<kVec>(gates, gate);
  unpack<kVec>(branch, h);
#pragma unroll
  for (int i = 0; i < kVec; ++i) x[i] = fmaf(gate[i], h[i], x[i]);
}

// The next rows are on their way while these are summed.
template <class T, int kVec, int kParts, bool kRms, class Call, int kThreads>
__global__ void __launch_bounds__(kThreads, kLeastBlocks<kThreads>)
    norm_forward(Call call, int rows_per_slice, float epsilon) {
  wait_for_earlier_kernels();
  constexpr bool kGated = kIsGated<Call>;
  __shared__ __align__(16) float shared[2][kRows * 32];
  const NormSlice<T, kVec, kParts> slice(call, rows_per_slice);
  const Gathered<kParts>& from = slice.from;
  const int end = slice.end, width = slice.width;
  T* const y = slice.of(call.y);
  float* const stats = call.stats + 2 * slice.sample * call.tokens;
  float shift[kVec] = {}, factor[kVec] = {};
  if (from.active) {
    if (call.shift.data != nullptr) {
      load<kVec>(
          static_cast<const T*>(call.shift.data) + slice.sample * call.shift.stride + from.column,
          shift);
    }
    load_factor<T, kVec, kRms>(call, from.column, slice.sample, factor);
  }
  const T* h = nullptr;
  T* stored = nullptr;
  Packed<T, kVec> gate = {};
  if constexpr (kGated) {
    h = slice.of(call.h);
    stored = slice.of(call.sum);
    if (from.active) gate = load_gate<T, kVec>(call, from.column, slice.sample);
  }
  Packed<T, kVec> next[kRows] = {}, next_h[kGated ? kRows : 1] = {};
  const auto fetch = [&](int row) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (!from.active || row + r >= end) continue;
      next[r] = load_packed<kVec>(slice.x + from.at(row + r));
      if constexpr (kGated) next_h[r] = load_packed<kVec>(h + (row + r) * width);
    }
  };
  fetch(slice.begin);
  // All threads of a block take the same way through the loop: barriers are met by all.
  int turn = 0;
#pragma unroll 1
  for (int row = slice.begin; row < end; row += kRows, turn ^= 1) {
    float x[kRows][kVec], sum[kRows], squares[kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      unpack<kVec>(next[r], x[r]);
      if constexpr (kGated) {
        add_gated<T, kVec>(gate, next_h[r], x[r]);
        const Packed<T, kVec> rounded = packed<T, kVec>(x[r]);
        if (from.active && row + r < end) store_packed<kVec>(stored + (row + r) * width, rounded);
        unpack<kVec>(rounded, x[r]);
      }
      sum[r] = 0;
#pragma unroll
      for (int i = 0; i < kVec; ++i) sum[r] += x[r][i];
    }
    fetch(row + kRows);
    if constexpr (!kRms) block_sum<kRows>(sum, shared[0]);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if constexpr (kRms) sum[r] = 0;
      const float mean = sum[r] * slice.inverse_width;
      squares[r] = 0;
#pragma unroll
      for (int i = 0; i < kVec; ++i) {
        x[r][i] -= mean;
        if (from.active) squares[r] = fmaf(x[r][i], x[r][i], squares[r]);
      }
    }
    // Without the first sum nothing orders the last row's reads of this memory before new writes.
    block_sum<kRows>(squares, shared[kRms ? turn : 1]);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (row + r >= end) break;
      const float inverse_std = 1.0f / sqrtf(fmaf(squares[r], slice.inverse_width, epsilon));
      if (threadIdx.x == 0) {
        stats[2 * (row + r)] = sum[r] * slice.inverse_width;
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

// g, to which was added what is there, as it is stored.
template <class T, int kVec>
__device__ Packed<T, kVec> add_arrived(const Packed<T, kVec>& there, bool accumulate,
                                       const float (&g)[kVec]) {
  if (!accumulate) return packed<T, kVec>(g);
  float sum[kVec];
  unpack<kVec>(there, sum);
#pragma unroll
  for (int i = 0; i < kVec; ++i) sum[i] += g[i];
  return packed<T, kVec>(sum);
}

template <class T, int kVec, int kParts, bool kRms, class Call, int kThreads>
__global__ void __launch_bounds__(kThreads, kLeastBlocks<kThreads>)
    norm_backward(Call call, int rows_per_slice) {
  wait_for_earlier_kernels();
  constexpr bool kGated = kIsGated<Call>;
  __shared__ __align__(16) float shared[2][2 * kRows * 32];
  const NormSlice<T, kVec, kParts> slice(call, rows_per_slice);
  const Gathered<kParts>& from = slice.from;
  const int end = slice.end, width = slice.width;
  const T* const dy = slice.of(call.dy);
  T* const dx = from.of(call.dx) == nullptr ? nullptr : from.template place<T>(call.dx);
  const bool accumulate = from.of(call.accumulate);
  const float2* const stats =
      reinterpret_cast<const float2*>(call.stats) + slice.sample * call.tokens;
  float factor[kVec] = {}, sum_dy[kVec] = {}, sum_dyn[kVec] = {};
  if (from.active) load_factor<T, kVec, kRms>(call, from.column, slice.sample, factor);
  const T* h = nullptr;
  T* dh = nullptr;
  Packed<T, kVec> gate = {};
  float sum_hdx[kGated ? kVec : 1] = {};
  if constexpr (kGated) {
    h = slice.of(call.h);
    if (call.dh != nullptr) dh = slice.of(call.dh);
    if (from.active) gate = load_gate<T, kVec>(call, from.column, slice.sample);
  }
  int turn = 0;
#pragma unroll 1
  for (int row = slice.begin; row < end; row += kRows, turn ^= 1) {
    float n[kRows][kVec] = {}, g[kRows][kVec] = {};
    float inverse_std[kRows] = {}, sums[2 * kRows] = {};
    Packed<T, kVec> branch[kGated ? kRows : 1] = {}, arrived[kGated ? kRows : 1] = {};
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (!from.active || row + r >= end) continue;
      load<kVec>(dy + (row + r) * width, g[r]);
      load<kVec>(slice.x + from.at(row + r), n[r]);
      if constexpr (kGated) {
        branch[r] = load_packed<kVec>(h + (row + r) * width);
        if (accumulate) arrived[r] = load_packed<kVec>(dx + (row + r) * width);
      }
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
      const float mean_gn = sums[2 * r + 1] * slice.inverse_width;
#pragma unroll
      for (int i = 0; i < kVec; ++i) {
        const float centred = fmaf(-sums[2 * r], slice.inverse_width, g[r][i]);
        g[r][i] = fmaf(-n[r][i], mean_gn, centred) * inverse_std[r];
      }
      if constexpr (kGated) {
        const Packed<T, kVec> rounded = add_arrived<T, kVec>(arrived[r], accumulate, g[r]);
        store_packed<kVec>(dx + (row + r) * width, rounded);
        float of_branch[kVec];
        unpack<kVec>(rounded, g[r]);
        unpack<kVec>(branch[r], of_branch);
#pragma unroll
        for (int i = 0; i < kVec; ++i) sum_hdx[i] = fmaf(of_branch[i], g[r][i], sum_hdx[i]);
        if (dh == nullptr) continue;
        unpack<kVec>(gate, of_branch);
#pragma unroll
        for (int i = 0; i < kVec; ++i) g[r][i] *= of_branch[i];
        put<kVec>(dh + (row + r) * width, g[r], call.accumulate_h);
      } else {
        put<kVec>(dx + from.at(row + r), g[r], accumulate);
      }
    }
  }
  if (!from.active || call.partials == nullptr) return;
  constexpr int kGroups = kGated ? 3 : 2;
  float* const partial =
      call.partials + (slice.sample * gridDim.x + blockIdx.x) * kGroups * call.width + from.column;
  store<kVec>(partial, sum_dy);
  store<kVec>(partial + call.width, sum_dyn);
  if constexpr (kGated) store<kVec>(partial + 2 * call.width, sum_hdx);
}

}  // namespace edt
