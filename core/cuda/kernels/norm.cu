#include "core/cuda/kernels/norm.h"

#include <algorithm>

#include "core/cuda/kernels/norm_kernels.cuh"

namespace edt {
namespace {

constexpr int kSumThreads = 128;

// Of one sample and column: the slices in order. The sum of dy n stays in the first slice's place.
template <class T>
__global__ void __launch_bounds__(kSumThreads) rms_sample_sums(RmsSums s) {
  wait_for_earlier_kernels();
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kSumThreads + threadIdx.x;
  if (c >= s.width) return;
  const float weight = to_float(static_cast<const T*>(s.weight)[c]);
  for (std::int64_t b = blockIdx.y; b < s.batch; b += gridDim.y) {
    float* from = s.partials + b * s.slices * s.groups * s.width + c;
    float dy = 0, dyn = 0;
    for (std::int64_t i = 0; i < s.slices; ++i) {
      dy += from[s.groups * i * s.width];
      dyn += from[(s.groups * i + 1) * s.width];
    }
    from[s.width] = dyn;
    const auto add = [&](const ColumnView& to, float factor, float sum) {
      if (to.data == nullptr) return;
      T* at = static_cast<T*>(to.data) + b * to.stride + c;
      *at = round_to<T>(fmaf(factor, sum, to_float(*at)));
    };
    add(s.dshift, 1, dy);
    add(s.dscale, weight, dyn);
  }
}

// Of one column: the samples in order.
template <class T>
__global__ void __launch_bounds__(kSumThreads) rms_weight_sums(RmsSums s) {
  wait_for_earlier_kernels();
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kSumThreads + threadIdx.x;
  if (c >= s.width) return;
  float sum = 0;
#pragma unroll 4
  for (std::int64_t b = 0; b < s.batch; ++b) {
    const float scale = to_float(static_cast<const T*>(s.scale.data)[b * s.scale.stride + c]);
    sum = fmaf(1.0f + scale, s.partials[(b * s.slices * s.groups + 1) * s.width + c], sum);
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
    launch_programmatic({stream, "modulated_norm forward", grid_of(plan, call.batch), plan.threads},
                        norm_forward<T, kVec, kParts, kRms, NormCall, kMostThreads<kVec>>, call,
                        static_cast<int>(plan.rows_per_slice), epsilon);
  });
}

void launch_norm_backward(cudaStream_t stream, const RowPlan& plan, const NormCall& call) {
  with_form(plan, call, [&]<class T, int kVec, int kParts, bool kRms>() {
    launch_programmatic(
        {stream, "modulated_norm backward", grid_of(plan, call.batch), plan.threads},
        norm_backward<T, kVec, kParts, kRms, NormCall, kMostThreads<kVec>>, call,
        static_cast<int>(plan.rows_per_slice));
  });
}

void launch_rms_sums(cudaStream_t stream, const RmsSums& sums) {
  const auto columns = static_cast<unsigned>(divide_up(sums.width, kSumThreads));
  const auto samples = static_cast<unsigned>(std::min<std::int64_t>(sums.batch, 65535));
  with_element(sums.dtype, [&]<class T>(T) {
    launch_programmatic({stream, "RMS norm, sums of samples", {columns, samples}, kSumThreads},
                        rms_sample_sums<T>, sums);
    launch_programmatic({stream, "RMS norm, gradient of the weight", columns, kSumThreads},
                        rms_weight_sums<T>, sums);
  });
}

}  // namespace edt
