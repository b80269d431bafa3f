// A thread for each unit, or for each column. Formulas: core/reference/unit_mask.cpp.
#include "core/cuda/kernels/unit_mask.h"

#include <algorithm>

#include "core/cuda/kernels/reduce.cuh"
#include "core/cuda/kernels/vector.cuh"
#include "core/ops/unit_mask_formula.h"

namespace edt {
namespace {

constexpr int kThreads = 256;

__device__ float part_of_sparsity(SparsityForm form, float w, float bound, float price) {
  if (!within_band(w, bound)) return 0;
  if (form == SparsityForm::kRelu) return price * (w + bound);
  return price * (bound - (form == SparsityForm::kUprelu ? w : fabsf(w)));
}

__global__ void __launch_bounds__(kThreads) band_mask_forward(BandCall call, float* factors) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= call.units) return;
  factors[i] = call.band[call.units + i] * mask_factor(call.weights[i], call.band[i]);
}

__global__ void __launch_bounds__(kThreads)
    band_mask_backward(BandCall call, const float* dfactors, float* dweights, bool accumulate) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= call.units) return;
  const float d =
      dfactors[i] * call.band[call.units + i] * mask_slope(call.weights[i], call.band[i]);
  dweights[i] = accumulate ? dweights[i] + d : d;
}

// One block.
__global__ void __launch_bounds__(kThreads)
    band_sparsity_forward(BandCall call, SparsityForm form, float* losses, std::int64_t rows,
                          float* sum) {
  __shared__ float shared[32];
  float total[1] = {0};
  for (std::int64_t i = threadIdx.x; i < call.units; i += kThreads) {
    const float part =
        part_of_sparsity(form, call.weights[i], call.band[i], call.band[2 * call.units + i]);
    total[0] += form == SparsityForm::kBound ? part * part : part;
  }
  block_sum<1>(total, shared);
  const float result = form == SparsityForm::kBound ? sqrtf(total[0]) : total[0];
  if (threadIdx.x == 0) sum[0] = result;
  for (std::int64_t b = threadIdx.x; b < rows; b += kThreads) losses[b] += result;
}

__global__ void __launch_bounds__(kThreads)
    band_sparsity_backward(BandCall call, SparsityForm form, const float* dsum, const float* sum,
                           float* dweights, bool accumulate) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= call.units) return;
  const float w = call.weights[i], price = call.band[2 * call.units + i];
  float slope = 0;
  if (within_band(w, call.band[i])) {
    slope = form == SparsityForm::kRelu ? price : -price;
    if (form == SparsityForm::kBound) {
      const float part = part_of_sparsity(form, w, call.band[i], price) / sum[0];
      slope *= sum[0] > 0 ? (w > 0 ? part : -part) : 0;
    }
  }
  const float d = dsum[0] * slope;
  dweights[i] = accumulate ? dweights[i] + d : d;
}

template <class T>
__global__ void __launch_bounds__(kThreads) mask_units_forward(MaskUnitsCall call) {
  const std::int64_t columns = call.units * call.size;
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (c >= columns) return;
  const float* factors = call.factors + c / call.size;
  for (std::int64_t r = blockIdx.y; r < call.rows; r += gridDim.y) {
    const std::int64_t at = r * columns + c;
    const float factor = factors[r / call.own_rows * call.units];
    static_cast<T*>(call.y)[at] = round_to<T>(factor * to_float(static_cast<const T*>(call.x)[at]));
  }
}

// Each thread a column, each row of blocks a slice of the rows.
template <class T>
__global__ void __launch_bounds__(kThreads)
    mask_units_backward(MaskUnitsCall call, std::int64_t rows_per_slice) {
  const std::int64_t columns = call.units * call.size;
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (c >= columns) return;
  const float factor = call.factors[c / call.size];
  const std::int64_t begin = blockIdx.y * rows_per_slice;
  const std::int64_t end = min(begin + rows_per_slice, call.rows);
  float sum = 0;
  for (std::int64_t r = begin; r < end; ++r) {
    const std::int64_t at = r * columns + c;
    const float d = to_float(static_cast<const T*>(call.dy)[at]);
    sum = fmaf(d, to_float(static_cast<const T*>(call.x)[at]), sum);
    const float dx[1] = {d * factor};
    if (call.y != nullptr) put<1>(static_cast<T*>(call.y) + at, dx, call.accumulate);
  }
  call.partials[blockIdx.y * columns + c] = sum;
}

__global__ void __launch_bounds__(kThreads)
    add_mask_slices(MaskUnitsCall call, std::int64_t slices) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= call.units) return;
  const std::int64_t columns = call.units * call.size;
  float sum = 0;
  for (std::int64_t slice = 0; slice < slices; ++slice) {
    for (std::int64_t c = i * call.size; c < (i + 1) * call.size; ++c) {
      sum += call.partials[slice * columns + c];
    }
  }
  call.dfactors[i] = call.accumulate_factors ? call.dfactors[i] + sum : sum;
}

// A block for each factor, where rows have their own.
template <class T>
__global__ void __launch_bounds__(kThreads) mask_parts_backward(MaskUnitsCall call) {
  __shared__ float shared[32];
  const std::int64_t which = blockIdx.x, columns = call.units * call.size;
  const std::int64_t row = which / call.units * call.own_rows,
                     column = which % call.units * call.size;
  const float factor = call.factors[which];
  float sum[1] = {0};
  for (std::int64_t i = threadIdx.x; i < call.own_rows * call.size; i += kThreads) {
    const std::int64_t at = (row + i / call.size) * columns + column + i % call.size;
    const float d = to_float(static_cast<const T*>(call.dy)[at]);
    sum[0] = fmaf(d, to_float(static_cast<const T*>(call.x)[at]), sum[0]);
    const float dx[1] = {d * factor};
    if (call.y != nullptr) put<1>(static_cast<T*>(call.y) + at, dx, call.accumulate);
  }
  block_sum<1>(sum, shared);
  if (threadIdx.x != 0 || call.dfactors == nullptr) return;
  call.dfactors[which] = call.accumulate_factors ? call.dfactors[which] + sum[0] : sum[0];
}

unsigned blocks_of(std::int64_t n) { return static_cast<unsigned>(divide_up(n, kThreads)); }

std::int64_t rows_of_slice(std::int64_t rows) {
  return std::max<std::int64_t>(32, divide_up(rows, 128));
}

}  // namespace

void launch_band_mask_forward(cudaStream_t stream, const BandCall& call, float* factors) {
  launch({stream, "band_mask forward", blocks_of(call.units), kThreads}, band_mask_forward, call,
         factors);
}

void launch_band_mask_backward(cudaStream_t stream, const BandCall& call, const float* dfactors,
                               float* dweights, bool accumulate) {
  launch({stream, "band_mask backward", blocks_of(call.units), kThreads}, band_mask_backward, call,
         dfactors, dweights, accumulate);
}

void launch_band_sparsity_forward(cudaStream_t stream, const BandCall& call, SparsityForm form,
                                  float* losses, std::int64_t rows, float* sum) {
  launch({stream, "band_sparsity forward", 1u, kThreads}, band_sparsity_forward, call, form, losses,
         rows, sum);
}

void launch_band_sparsity_backward(cudaStream_t stream, const BandCall& call, SparsityForm form,
                                   const float* dsum, const float* sum, float* dweights,
                                   bool accumulate) {
  launch({stream, "band_sparsity backward", blocks_of(call.units), kThreads},
         band_sparsity_backward, call, form, dsum, sum, dweights, accumulate);
}

std::int64_t mask_unit_slices(std::int64_t rows) { return divide_up(rows, rows_of_slice(rows)); }

void launch_mask_units_forward(cudaStream_t stream, const MaskUnitsCall& call) {
  const dim3 grid(blocks_of(call.units * call.size),
                  static_cast<unsigned>(std::min<std::int64_t>(call.rows, 1024)));
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "mask_units forward", grid, kThreads}, mask_units_forward<T>, call);
  });
}

void launch_mask_units_backward(cudaStream_t stream, const MaskUnitsCall& call) {
  if (call.own_rows < call.rows) {
    const auto factors = static_cast<unsigned>(call.rows / call.own_rows * call.units);
    with_element(call.dtype, [&]<class T>(T) {
      launch({stream, "mask_units backward", factors, kThreads}, mask_parts_backward<T>, call);
    });
    return;
  }
  const std::int64_t slices = mask_unit_slices(call.rows);
  const dim3 grid(blocks_of(call.units * call.size), static_cast<unsigned>(slices));
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "mask_units backward", grid, kThreads}, mask_units_backward<T>, call,
           rows_of_slice(call.rows));
  });
  if (call.dfactors == nullptr) return;
  launch({stream, "mask_units backward", blocks_of(call.units), kThreads}, add_mask_slices, call,
         slices);
}

}  // namespace edt
