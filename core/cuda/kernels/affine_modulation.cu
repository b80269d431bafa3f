// A thread for each column: rows are few, as many as a batch has samples. Formulas:
// core/reference/affine_modulation.cpp.
#include "core/cuda/kernels/affine_modulation.h"

#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void __launch_bounds__(kThreads) affine_modulation_forward(AffineModulationCall call) {
  const std::int64_t j = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (j >= call.columns) return;
  const float factor = 1 + to_float(static_cast<const T*>(call.scale)[j]);
  const float shift = to_float(static_cast<const T*>(call.shift)[j]);
  for (std::int64_t at = j; at < call.rows * call.columns; at += call.columns) {
    static_cast<T*>(call.y)[at] =
        round_to<T>(fmaf(to_float(static_cast<const T*>(call.m)[at]), factor, shift));
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) affine_modulation_backward(AffineModulationCall call) {
  const std::int64_t j = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (j >= call.columns) return;
  const float factor = 1 + to_float(static_cast<const T*>(call.scale)[j]);
  float to_scale = 0, to_shift = 0;
  for (std::int64_t at = j; at < call.rows * call.columns; at += call.columns) {
    const float dy = to_float(static_cast<const T*>(call.dy)[at]);
    to_scale = fmaf(dy, to_float(static_cast<const T*>(call.m)[at]), to_scale);
    to_shift += dy;
    float dm[1] = {dy * factor};
    if (call.y != nullptr) put<1>(static_cast<T*>(call.y) + at, dm, call.accumulate);
  }
  call.dscale[j] = call.accumulate_tables ? call.dscale[j] + to_scale : to_scale;
  call.dshift[j] = call.accumulate_tables ? call.dshift[j] + to_shift : to_shift;
}

unsigned blocks_of(const AffineModulationCall& call) {
  return static_cast<unsigned>(divide_up(call.columns, kThreads));
}

}  // namespace

void launch_affine_modulation_forward(cudaStream_t stream, const AffineModulationCall& call) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "affine_modulation forward", blocks_of(call), kThreads},
           affine_modulation_forward<T>, call);
  });
}

void launch_affine_modulation_backward(cudaStream_t stream, const AffineModulationCall& call) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "affine_modulation backward", blocks_of(call), kThreads},
           affine_modulation_backward<T>, call);
  });
}

}  // namespace edt
